"""Files none of whose boxes is of use: said at the start of a training, with the reason."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from abc_mmdet.custom_dataset import check_annotation_files, check_dataset, write_experiment
from abc_mmdet.errors import UserError

from ..warm_python import python
from .conftest import NAMES, change

ROOT = Path(__file__).parents[2]


def of_all(**fields: object) -> Callable[[dict], None]:
    def apply(entries: dict) -> None:
        for annotation in entries['annotations']:
            annotation.update(fields)

    return apply


def relative(entries: dict) -> None:
    for annotation in entries['annotations']:
        x, y, w, h = annotation['bbox']
        annotation.update(bbox=[x / 96, y / 64, w / 96, h / 64])


def negative(entries: dict) -> None:
    for annotation in entries['annotations']:
        x, y, w, h = annotation['bbox']
        annotation.update(bbox=[x + w, y, -w, h])


def text_ids(entries: dict) -> None:
    for annotation in entries['annotations']:
        annotation.update(image_id=str(annotation['image_id']))


MISTAKES = [
    (of_all(iscrowd=1), '12 are crowds'),
    (of_all(area=0), '12 have an area that is not positive'),
    (relative, 'between 0 and 1: multiply them by width and height'),
    (negative, 'or a negative one'),
    (text_ids, r"12 have an image_id that is not in the file \(image_id '1?0' is str"),
    (of_all(bbox=[500, 5, 10, 10]), '12 lie wholly outside'),
    (lambda entries: entries['annotations'].clear(), 'of 0 boxes none is of use'),
]


def experiment(data: Path, classes: tuple[str, ...] = NAMES) -> Config:
    def dataset(split: str, **more: object) -> dict:
        return dict(
            type='CocoDataset',
            data_root=str(data),
            ann_file=f'{split}.json',
            data_prefix=dict(img='images/'),
            metainfo=dict(classes=classes),
            **more,
        )

    return Config(
        dict(
            train_dataloader=dict(dataset=dataset('train')),
            val_dataloader=dict(dataset=dataset('val', test_mode=True)),
            val_evaluator=dict(type='SmallObjectMetric', ann_file=str(data / 'val.json')),
        )
    )


LOADERS = ('train_dataloader', 'val_dataloader')


@pytest.mark.parametrize(('mistake', 'message'), MISTAKES)
@pytest.mark.parametrize('split', ['train', 'val'])
def test_no_box_is_of_use(data: Path, split: str, mistake: Callable, message: str) -> None:
    assert check_annotation_files(experiment(data), *LOADERS) == []
    change(data / f'{split}.json', mistake)
    with pytest.raises(UserError, match=f'(?s){split}_dataloader is not ready.*{message}'):
        check_annotation_files(experiment(data), *LOADERS)
    found = {issue.kind: issue for issue in check_dataset(experiment(data)).issues}
    assert found['no_usable_box'].level == 'problem'
    with pytest.raises(UserError, match=f'(?s)not ready for training.*{message}'):
        new_config(data)


def new_config(data: Path) -> None:
    train, val = str(data / 'train.json'), str(data / 'val.json')
    images = [str(data / 'images')]
    write_experiment(data / 'new.py', ROOT / 'configs', train, val, images, weights='none')


def test_what_is_left_out_is_said(data: Path) -> None:
    """Two of three classes, and one box that points nowhere: training begins, not silently."""
    change(data / 'train.json', lambda c: c['annotations'][0].update(image_id='0'))
    found = check_annotation_files(experiment(data, ('car', 'van')), 'train_dataloader')
    kinds = {issue.kind: issue for issue in found}
    assert list(kinds) == ['unknown_image_id', 'unused_categories']
    assert kinds['unused_categories'].examples == ['person (4 boxes)']


def turn(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.open(path).convert('RGB')
    image.save(path, format='JPEG', exif=exif)


def test_images_turned_by_the_camera(data: Path) -> None:
    turn(data / 'images' / 'image1.png', 6)
    turn(data / 'images' / 'image2.png', 3)
    for check in (
        lambda: check_annotation_files(experiment(data), *LOADERS),
        lambda: new_config(data),
    ):
        with pytest.raises(UserError, match=r'(?s)turned on reading.*image1\.png: read as 64x96'):
            check()
    upright = dict(width=64, height=96)  # the file speaks of the image as it is read
    change(data / 'train.json', lambda c: c['images'][1].update(upright))
    found = check_annotation_files(experiment(data), *LOADERS)
    assert [f.kind for f in found if 'border' not in f.kind and 'outside' not in f.kind] == [
        'marked_images'
    ]


def test_missing_images_before_the_first_iteration(data: Path) -> None:
    (data / 'images' / 'image1.png').unlink()
    with pytest.raises(UserError, match=r'image files do not exist.*\n.*image1\.png'):
        check_annotation_files(experiment(data), *LOADERS)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(('bits', 'is_dark'), [(12, True), (16, False)])
def test_deep_images_that_become_black(data: Path, channels: int, bits: int, is_dark: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 1 << bits, (64, 96, channels), np.uint16)
    path = data / 'images' / 'image1.png'
    assert cv2.imwrite(str(path), pixels)
    assert (cv2.imread(str(path)).max() < 16) == is_dark, 'as training reads it'
    found = {f.kind: f for f in check_annotation_files(experiment(data), *LOADERS)}
    assert ('dark_images' in found) == is_dark
    assert ('dark_images' in {f.kind for f in check_dataset(experiment(data)).issues}) == is_dark


def test_the_tool_stops_before_it_builds_anything(data: Path, tmp_path: Path) -> None:
    change(data / 'train.json', of_all(iscrowd=1))
    config = tmp_path / 'config.py'
    config.write_text(
        f"_base_ = '{ROOT}/configs/small/abc_synthetic.py'\n"
        f'classes = {NAMES}\n'
        f"data_root = '{data}/'\n"
        "train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='train.json',\n"
        "    data_prefix=dict(img='images/'), metainfo=dict(classes=classes)))\n"
    )
    command = [python(), 'tools/train.py', str(config), '--work-dir', str(tmp_path / 'work')]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 2, result.stderr
    assert 'Traceback' not in result.stderr
    assert not (tmp_path / 'work').exists()


def test_ids_that_are_text_are_no_mistake(data: Path) -> None:
    def rename(entries: dict) -> None:
        for image in entries['images']:
            image['id'] = f'frame_{image["id"]:06d}'
        for annotation in entries['annotations']:
            annotation['image_id'] = f'frame_{annotation["image_id"]:06d}'

    for split in ('train', 'val'):
        change(data / f'{split}.json', rename)
    assert json.loads((data / 'train.json').read_text())['images'][0]['id'] == 'frame_000000'
    assert check_annotation_files(experiment(data), *LOADERS) == []
