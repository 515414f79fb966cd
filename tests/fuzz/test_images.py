"""Damaged image files, as detection and the dataset check read them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.custom_dataset.image_checks import _decoded
from abc_mmdet.inference.images import read_image

from .case import cases, mutated, outcome, pick

WIDTH, HEIGHT = 40, 30
SUFFIXES = ('.png', '.jpg', '.bmp', '.tiff', '.webp', '.ppm')


@pytest.fixture(scope='module')
def encoded() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    colour = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (WIDTH, HEIGHT))
    files = {suffix: cv2.imencode(suffix, colour)[1].tobytes() for suffix in SUFFIXES}
    files['16 bits.png'] = cv2.imencode('.png', colour.astype(np.uint16) * 257)[1].tobytes()
    files['alpha.png'] = cv2.imencode('.png', np.dstack([colour, colour[..., 0]]))[1].tobytes()
    return files


@cases(0.14)
@given(data=st.data())
def test_images(
    encoded: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = pick(data, list(encoded), 'file')
    content = encoded[name]
    changed = mutated(content, data) if pick(data, [True] * 9 + [False], 'change') else content
    path = Path(tmp_path_factory.getbasetemp(), f'fuzz{Path(name).suffix or name}')
    path.write_bytes(changed)
    image = outcome(lambda: read_image(path), str(path))
    of_doctor = outcome(lambda: _decoded(str(path)), '')
    assert of_doctor is not None
    if changed == content:
        assert of_doctor.state == 'fine'
        assert image is not None
        assert np.array_equal(image, cv2.imdecode(np.frombuffer(content, 'u1'), 1))
    if image is not None:
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        if of_doctor.size is not None and name != '.tiff':
            assert image.shape[1::-1] == of_doctor.size
