"""Images of all kinds, as MMDetection's loader reads them."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from abc_mmdet.errors import UserError
from abc_mmdet.inference.images import (
    DarkImageWarning,
    as_image,
    image_pipeline,
    read_image,
    write_image,
)
from abc_mmdet.inference.model import named_in_config
from mmdet.datasets.transforms import LoadAnnotations  # noqa: F401  registers the others
from mmdet.registry import TRANSFORMS


@pytest.fixture(scope='module')
def image() -> np.ndarray:
    generator = np.random.default_rng(0)
    return cv2.resize(generator.integers(0, 256, (6, 8, 3), np.uint8), (64, 48))


@pytest.fixture(scope='module')
def files(image: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of every kind."""
    folder = tmp_path_factory.mktemp('images')
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    rgb = Image.fromarray(image[..., ::-1])
    rotated = Image.Exif()
    rotated[0x0112] = 6  # to be turned by a quarter
    write = {
        'colour.png': lambda path: cv2.imwrite(path, image),
        'colour.jpg': lambda path: cv2.imwrite(path, image),
        'grey.png': lambda path: cv2.imwrite(path, grey),
        'deep.png': lambda path: cv2.imwrite(path, grey.astype(np.uint16) * 256 + 17),
        'deep.tif': lambda path: cv2.imwrite(path, image.astype(np.uint16) * 256 + 200),
        'alpha.png': lambda path: cv2.imwrite(path, np.dstack([image, grey])),
        'palette.png': lambda path: rgb.quantize(256).save(path),
        'two_levels.png': lambda path: rgb.convert('1').save(path),
        'turned.jpg': lambda path: rgb.save(path, exif=rotated, quality=95),
    }
    for name, writer in write.items():
        writer(str(folder / name))
    return {name: folder / name for name in write}


def test_every_kind_is_read_as_in_training(files: dict[str, Path]) -> None:
    load = TRANSFORMS.build(dict(type='LoadImageFromFile'))
    for name, path in files.items():
        read = read_image(path)
        assert read.dtype == np.uint8
        assert read.shape == ((64, 48, 3) if name == 'turned.jpg' else (48, 64, 3)), name
        assert np.array_equal(read, load(dict(img_path=str(path)))['img']), name


def test_what_is_read(files: dict[str, Path], image: np.ndarray) -> None:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    read = {name: read_image(path) for name, path in files.items()}
    for name in ('colour.png', 'alpha.png'):
        assert np.array_equal(read[name], image), name
    for name in ('grey.png', 'deep.png'):
        assert np.array_equal(read[name], grey[..., None].repeat(3, axis=2)), name
    assert np.abs(read['deep.tif'].astype(int) - image).max() <= 1  # OpenCV rounds in TIFF
    turned = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE).astype(int)
    assert np.abs(read['turned.jpg'] - turned).mean() < 12
    assert np.abs(read['palette.png'].astype(int) - image).mean() < 12


def test_arrays_are_taken_as_files_are(files: dict[str, Path]) -> None:
    for name in ('colour.png', 'grey.png', 'deep.png', 'alpha.png'):
        array = cv2.imread(str(files[name]), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(as_image(array), read_image(files[name])), name
    assert as_image(np.zeros((3, 4, 1), np.uint8)).shape == (3, 4, 3)


@pytest.mark.parametrize(
    'array',
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
    ids=['float', 'two channels', 'a row', 'no pixel'],
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(UserError, match='is no image here'):
        as_image(array)


@pytest.mark.parametrize('name', ['colour.jpg', 'colour.png'])
def test_cut_files_are_refused_and_longer_ones_are_not(
    name: str, files: dict[str, Path], tmp_path: Path
) -> None:
    content = files[name].read_bytes()
    path = tmp_path / name
    for share in (0.3, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(UserError, match=name):
            read_image(path)
    path.write_bytes(content + b'what a camera appends')
    assert np.array_equal(read_image(path), read_image(files[name]))


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    for content, reason in ((b'', 'empty'), (b'not an image', 'no image')):
        (tmp_path / 'a.jpg').write_bytes(content)
        with pytest.raises(UserError, match=f'a.jpg is {reason}'):
            read_image(tmp_path / 'a.jpg')
    with pytest.raises(UserError, match=r'b.jpg: No such file'):
        read_image(tmp_path / 'b.jpg')


def test_a_image_is_written_whole_or_not(image: np.ndarray, tmp_path: Path) -> None:
    write_image(tmp_path / 'new' / 'a.png', image)
    assert np.array_equal(read_image(tmp_path / 'new' / 'a.png'), image)
    with pytest.raises(UserError, match=r'cannot write \.txt'):
        write_image(tmp_path / 'a.txt', image)
    (tmp_path / 'b.png').mkdir()
    with pytest.raises(UserError, match=r'cannot write .*b\.png'):
        write_image(tmp_path / 'b.png', image)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['b.png', 'new']


@pytest.mark.parametrize('suffix', ['.png', '.tif', '.jp2', '.pgm', '.ppm'])
@pytest.mark.parametrize('channels', [1, 3])
def test_12_bits_in_16_are_named(tmp_path: Path, suffix: str, channels: int) -> None:
    if (suffix, channels) in (('.pgm', 3), ('.ppm', 1)):
        pytest.skip('no such file')
    values = np.random.default_rng(0).integers(0, 4096, (48, 64, channels), np.uint16).squeeze()
    values[0, 0] = 4095
    path = tmp_path / f'camera{suffix}'
    for factor in (1, 16):
        cv2.imwrite(str(path), values * factor)
        said: list[str] = []
        read = read_image(path, said.append)
        assert read.dtype == np.uint8 and abs(int(read.max()) - 4095 * factor / 256) < 4
        assert len(said) == (factor == 1)
        # JPEG 2000 is not exact
        brightest = r'\d+' if suffix == '.jp2' else '4095'
        pattern = rf'{re.escape(str(path))}: no value above {brightest} of 65535\.'
        assert all(re.match(pattern, text) for text in said)
    cv2.imwrite(str(path), values)
    with pytest.warns(DarkImageWarning, match='times 16'):
        read_image(path)
    with pytest.warns(DarkImageWarning, match='an array of 16 bits: no value above 4095'):
        as_image(values)


@pytest.mark.filterwarnings('error')
def test_8_bits_are_dark_if_they_are(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'night.png'), np.full((8, 8, 3), 3, np.uint8))
    said: list[str] = []
    read_image(tmp_path / 'night.png', said.append)
    as_image(np.full((8, 8), 1 << 14, np.uint16))
    assert said == []


RESIZE = dict(type='Resize', scale=(64, 64), keep_ratio=True)


def config(*sizes: int) -> Config:
    datasets = [
        dict(
            type='CocoDataset',
            metainfo=dict(classes=('car', 'van')),
            pipeline=[
                dict(type='LoadImageFromFile', to_float32=True),
                dict(RESIZE, scale=(size, size)),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='PackDetInputs'),
            ],
        )
        for size in sizes
    ]
    return Config(dict(test_dataloader=dict(dataset=dict(type='ConcatDataset', datasets=datasets))))


def test_data_sets_side_by_side() -> None:
    load, resize, pack = image_pipeline(config(64, 64))
    assert load == dict(type='mmdet.LoadImageFromNDArray', to_float32=True)
    assert (resize, pack['type']) == (RESIZE, 'PackDetInputs')
    assert named_in_config(config(64, 64)) == ('car', 'van')
    with pytest.raises(UserError, match=r'datasets\[1\]\.pipeline differ'):
        image_pipeline(config(64, 32))
    assert named_in_config(config(64, 32)) == ('car', 'van'), 'these are the same'


def test_none_at_all() -> None:
    for without in (Config({}), config(), Config(dict(val_dataloader=None))):
        with pytest.raises(UserError, match=r'test_dataloader\.dataset has no pipeline'):
            image_pipeline(without)
