"""File names that lead out of the image folder are not opened, by whatever reads the file."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from abc_mmdet.apis import load_experiment
from abc_mmdet.datasets.annotations.image_path import image_path, leaves
from abc_mmdet.errors import UserError
from abc_mmdet.own_data import check_annotation_files, check_up, write_experiment
from abc_mmdet.report import evaluate, load_test_set
from abc_mmdet.report.gallery import worst_false_negatives

ROOT = Path(__file__).parents[3]
CONFIG = str(ROOT / 'configs/small/abc_synthetic.py')
OUT = ('../secret.png', '/etc/passwd', 'a/../../secret.png', 'http://host/a.png', 'a\0.png')


@pytest.mark.parametrize('name', [*OUT, 's3://bucket/a.png', '..'])
@pytest.mark.parametrize('folder', ['', 'images', '/data/images/'])
def test_ways_out(folder: str, name: str) -> None:
    assert leaves(folder, name)
    with pytest.raises(UserError, match=r'train\.json: file_name .* leads out'):
        image_path(folder, name, 'train.json')


@pytest.mark.parametrize('name', ['a.png', 'a/b/c.png', './a.png', 'a..b.png', '..a/b.png', '~/a'])
def test_ways_in(name: str) -> None:
    for folder in ('', 'images', '/data/images', 's3://bucket'):
        assert not leaves(folder, name)
        assert image_path(folder, name, 'x') == os.path.join(folder, name)


def test_absolute_names_below_the_folder() -> None:
    assert not leaves('/data/images', '/data/images/a.png')
    assert not leaves('/', '/data/images/a.png')
    assert not leaves('', os.path.abspath('a.png'))
    assert leaves('/data/images', '/data/images2/a.png')
    assert leaves('s3://bucket', '/data/a.png')


@pytest.fixture
def traffic(tmp_path: Path) -> Path:
    """A data set whose first image lies beside its folder, and a link to it within."""
    names = ('car', 'pedestrian', 'bicycle', 'bus', 'motorbike', 'truck', 'tram', 'wheelchair')
    pixels = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'secret.png'), pixels)
    (tmp_path / 'annotations').mkdir()
    for split in ('train', 'val'):
        (tmp_path / split).mkdir()
        (tmp_path / split / 'link.png').symlink_to(tmp_path / 'secret.png')
        images = [
            dict(id=i, file_name=name, width=96, height=64)
            for i, name in enumerate(('link.png', '../secret.png'))
        ]
        boxes = [
            dict(id=i, image_id=i, category_id=1, bbox=[9, 9, 20, 20], area=400, iscrowd=0)
            for i in (0, 1)
        ]
        categories = [dict(id=i, name=name) for i, name in enumerate(names, 1)]
        content = dict(images=images, annotations=boxes, categories=categories)
        (tmp_path / 'annotations' / f'{split}.json').write_text(json.dumps(content))
    return tmp_path


def inside(traffic: Path) -> None:
    """Leave the link alone."""
    for path in (traffic / 'annotations').iterdir():
        content = json.loads(path.read_text())
        content['images'], content['annotations'] = (
            content['images'][:1],
            content['annotations'][:1],
        )
        path.write_text(json.dumps(content))


def test_training_and_testing(traffic: Path) -> None:
    names = '(car,pedestrian,bicycle,bus,motorbike,truck,tram,wheelchair)'
    config = load_experiment(CONFIG, dict(data_root=str(traffic), classes=names[1:-1].split(',')))
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        with pytest.raises(UserError, match=r"\.json: file_name '\.\./secret\.png' leads out"):
            check_annotation_files(config, loader)
    inside(traffic)
    check_annotation_files(config, 'train_dataloader', 'test_dataloader', 'none')


def test_doctor_and_new_config(traffic: Path, tmp_path: Path) -> None:
    config = load_experiment(CONFIG, dict(data_root=str(traffic)))
    found = {f.kind: f for f in check_up(config).findings}
    assert found['outside_folder'].examples == ['../secret.png']
    assert 'missing_files' not in found and 'unreadable_files' not in found
    train, val = (str(traffic / 'annotations' / f'{split}.json') for split in ('train', 'val'))
    args = (tmp_path / 'mine.py', ROOT / 'configs', train, val, [str(traffic / 'train')])
    with pytest.raises(UserError, match='lead out of the folder'):
        write_experiment(*args, val_images=str(traffic / 'val'))
    assert not (tmp_path / 'mine.py').exists()
    inside(traffic)
    assert 'outside_folder' not in {f.kind for f in check_up(config).findings}


def test_report(traffic: Path) -> None:
    test_set = load_test_set(load_experiment(CONFIG, dict(data_root=str(traffic))))
    label = test_set.category_ids[0]
    far = dict(image_id=0, category_id=label, bbox=[60, 40, 5, 5], score=0.9)
    with pytest.raises(UserError, match='leads out of the image folder'):
        worst_false_negatives(evaluate('a', 'a.json', test_set, [far]), 5)
    inside(traffic)
    test_set = load_test_set(load_experiment(CONFIG, dict(data_root=str(traffic))))
    assert len(worst_false_negatives(evaluate('a', 'a.json', test_set, [far]), 5)) == 1
