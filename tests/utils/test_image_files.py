"""Images that say they are larger than any memory."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from abc_mmdet.custom_dataset.image_checks import _decoded
from abc_mmdet.errors import UserError
from abc_mmdet.inference.images import read_image
from abc_mmdet.utils.image_files import VARIABLE, max_pixels, open_image


def png(width: int, height: int, data: bytes = b'') -> bytes:
    """A PNG whose head says this size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack('>I', len(content)) + body + struct.pack('>I', zlib.crc32(body))

    head = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    parts = chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(data)) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + parts


@pytest.mark.parametrize('size', [(40_000, 40_000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1)])
def test_bombs_are_refused_with_their_size(size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / 'bomb.png'
    path.write_bytes(png(*size))
    width, height = size
    with pytest.raises(UserError, match=rf'bomb\.png is not read: it has {width}x{height} pixels'):
        read_image(path)
    assert f'{width}x{height} pixels' in _decoded(str(path)).state
    assert VARIABLE in _decoded(str(path)).state


@pytest.mark.parametrize('suffix', ['.bmp', '.tiff', '.jpg', '.webp'])
def test_other_kinds(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f'image{suffix}'
    cv2.imwrite(str(path), np.zeros((60, 80, 3), np.uint8))
    assert read_image(path).shape == (60, 80, 3)
    monkeypatch.setenv(VARIABLE, '4799')
    with pytest.raises(UserError, match=r'80x60 pixels, more than the 4,799'):
        read_image(path)
    assert '80x60' in _decoded(str(path)).state
    monkeypatch.setenv(VARIABLE, '4800')
    assert read_image(path).shape == (60, 80, 3)
    assert _decoded(str(path)).state == 'fine'


def test_the_bound_is_opencvs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(cv2.error, match='CV_IO_MAX_IMAGE_PIXELS'):
        cv2.imdecode(np.frombuffer(png(2**15 + 1, 2**15), np.uint8), cv2.IMREAD_COLOR)
    assert (2**15 + 1) * 2**15 > max_pixels() >= 2**30


def test_large_images_below_it_are_fine(tmp_path: Path) -> None:
    """Above the bound of PIL, at which the dataset check used to call them unreadable."""
    content = png(20_000, 10_000)
    bound = Image.MAX_IMAGE_PIXELS
    assert open_image(content).size == (20_000, 10_000)
    assert Image.MAX_IMAGE_PIXELS == bound < 200_000_000


def test_no_program_outside_is_started(tmp_path: Path) -> None:
    path = tmp_path / 'a.eps'
    path.write_bytes(b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n')
    assert Image.open(path).format == 'EPS', 'PIL would give it to Ghostscript'
    assert _decoded(str(path)).state == 'not an image'
    with pytest.raises(UserError, match='is no image'):
        read_image(path)
