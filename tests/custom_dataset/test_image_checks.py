import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from abc_mmdet.custom_dataset import CocoFile
from abc_mmdet.custom_dataset.duplicates import shared_parts
from abc_mmdet.custom_dataset.image_checks import are_gray, check_images, look_at_images

from .conftest import content, draw


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw(tmp_path / 'images', content())
    return tmp_path / 'images'


def found_in(coco, folder: Path, entries: dict | None = None, decode: bool = True) -> dict:
    file = coco(entries)
    images = look_at_images(file, str(folder), decode)
    return {issue.kind: issue for issue in check_images(file, images, str(folder))}


def test_files_in_order(coco, folder: Path) -> None:
    assert found_in(coco, folder) == {}


def test_missing_files(coco, folder: Path) -> None:
    (folder / 'image1.png').unlink()
    for decode in (True, False):
        found = found_in(coco, folder, decode=decode)
        assert list(found) == ['missing_files']
        assert found['missing_files'].examples == [str(folder / 'image1.png')]
        assert found['missing_files'].level == 'problem'


def test_unreadable_files(coco, folder: Path) -> None:
    whole = (folder / 'image0.png').read_bytes()
    (folder / 'image0.png').write_bytes(b'')
    (folder / 'image1.png').write_bytes(whole[: len(whole) // 2])
    (folder / 'image2.png').write_text('<html>not found</html>')
    jpeg = cv2.imencode('.jpg', cv2.imread(str(folder / 'image3.png')))[1].tobytes()
    (folder / 'image3.png').write_bytes(jpeg[: len(jpeg) * 9 // 10])
    found = found_in(coco, folder)
    assert list(found) == ['unreadable_files']
    assert found['unreadable_files'].count == 4
    assert 'an empty file' in found['unreadable_files'].examples[0]
    assert 'not an image' in found['unreadable_files'].examples[2]
    assert found_in(coco, folder, decode=False) == {}


def test_wrong_size_and_turned_images(coco, folder: Path) -> None:
    entries = content()
    entries['images'][0]['width'] += 1
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(folder / 'image1.png')
    image.save(folder / 'image1.jpg', exif=exif)
    entries['images'][1]['file_name'] = 'image1.jpg'
    assert cv2.imread(str(folder / 'image1.jpg')).shape == (96, 64, 3), 'as training sees it'
    found = found_in(coco, folder, entries)
    assert list(found) == ['turned_images', 'wrong_size']
    assert found['wrong_size'].examples[0].endswith('image0.png: 96x64, not 97x64')
    assert found['turned_images'].examples == [f'{folder}/image1.jpg: read as 64x96']


def test_formats_of_all_kinds_are_read(coco, folder: Path) -> None:
    entries = content()
    pixels = np.full((64, 96), 40_000, np.uint16)
    for i, (name, image) in enumerate(
        [
            ('deep.png', pixels),
            ('grey.jpg', (pixels >> 8).astype(np.uint8)),
            ('alpha.png', np.zeros((64, 96, 4), np.uint8)),
            ('scan.tif', pixels),
        ]
    ):
        assert cv2.imwrite(str(folder / name), image)
        entries['images'][i]['file_name'] = name
    assert found_in(coco, folder, entries) == {}


def test_copies(coco, folder: Path) -> None:
    shutil.copy(folder / 'image0.png', folder / 'image3.png')
    found = found_in(coco, folder)
    assert list(found) == ['duplicate_images']
    assert found['duplicate_images'].level == 'warning'
    assert 'image0.png = ' in found['duplicate_images'].examples[0]


def test_images_of_training_in_validation(coco, folder: Path, tmp_path: Path) -> None:
    entries = content(first=10)
    other = tmp_path / 'other'
    draw(other, entries, seed=1)
    file = coco()
    train = look_at_images(file, str(folder))
    val_file = coco(entries)
    assert list(shared_parts(train, look_at_images(val_file, str(other)), 'both')) == []
    shutil.copy(folder / 'image2.png', other / 'image11.png')
    (issue,) = shared_parts(train, look_at_images(val_file, str(other)), 'both')
    assert (issue.kind, issue.level, issue.count) == ('shared_images', 'problem', 1)
    assert issue.examples == [f'{other}/image11.png = {folder}/image2.png']
    # Without reading the files: the same path, written in another way
    (tmp_path / 'link').symlink_to(folder)
    fast = look_at_images(file, str(tmp_path / 'link'), decode=False)
    (issue,) = shared_parts(look_at_images(file, str(folder), decode=False), fast, 'both')
    assert issue.count == 4


def test_images_without_colours(tmp_path: Path, coco: Callable[..., CocoFile]) -> None:
    entries = content(num_images=40)
    draw(tmp_path, entries)
    file = coco(entries)
    assert not are_gray(file, str(tmp_path))
    for path in tmp_path.glob('*.png'):
        gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        colours = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)  # three equal channels in the file
        cv2.imwrite(str(path), gray if len(path.stem) % 2 else colours)
    assert are_gray(file, str(tmp_path))
    one = cv2.imread(str(tmp_path / 'image0.png'))
    one[:8, :8, 0] = 255 - one[:8, :8, 0] // 2
    cv2.imwrite(str(tmp_path / 'image0.png'), one)
    assert not are_gray(file, str(tmp_path))
