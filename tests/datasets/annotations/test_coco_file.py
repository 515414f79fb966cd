"""File names that lead out of the image folder are not opened, by whatever reads the file."""

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abc_mmdet.apis import load_experiment
from abc_mmdet.custom_dataset import (
    CocoFile,
    check_annotation_files,
    check_dataset,
    write_experiment,
)
from abc_mmdet.datasets.annotations.coco_file import image_path, leaves
from abc_mmdet.errors import UserError
from abc_mmdet.report import evaluate, load_test_set
from abc_mmdet.report.gallery import worst_false_negatives
from mmdet.datasets import CocoDataset


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / 'file.json'
    with pytest.raises(UserError, match=r'file\.json'):
        CocoFile.read(str(path))
    for text, message in (
        ('{"images": [', 'is not JSON, or was cut off'),
        ('[1, 2]', 'has no list of images and none of categories'),
        ('{"images": [], "categories": {}}', 'has no list of categories:'),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            CocoFile.read(str(path))


def test_entries_that_cannot_be_used_are_kept_apart(coco) -> None:
    image = dict(id=1, file_name='a.png', width=9, height=9)
    box = dict(id=1, image_id=1, category_id=1, bbox=[0, 0, 4, 4], area=16)
    no_area = {k: v for k, v in box.items() if k != 'area'}
    file = coco(
        dict(
            images=[image, image | dict(id=2, width=0), image | dict(id=3, file_name='')],
            annotations=[
                *(box, no_area, box | dict(bbox=[0, 0, 4]), box | dict(bbox=[0, 0, 4, '4'])),
                *(box | dict(bbox=[0, 0, 4, float('nan')]), 7),
            ],
            categories=[dict(id=1, name='car'), dict(id=2)],
        )
    )
    assert (len(file.images), len(file.annotations), file.names) == (1, 1, ['car'])
    assert file.malformed == [
        'images[1] (id 2): width 0',
        "images[2] (id 3): file_name ''",
        'annotations[1] (id 1): no area',
        'annotations[2] (id 1): bbox [0, 0, 4]',
        "annotations[3] (id 1): bbox [0, 0, 4, '4']",
        'annotations[4] (id 1): bbox [0, 0, 4, nan]',
        'annotations[5]: no object',
        'categories[1] (id 2): no name',
    ]


def test_a_file_without_annotations_is_one_of_a_test_set(coco) -> None:
    file = coco(dict(images=[], categories=[dict(id=1, name='car')]))
    assert len(file.boxes.xyxy) == 0
    assert file.boxes.used.shape == (0,)


number = st.sampled_from([-60.0, -8.5, 0.0, 0.5, 1.0, 4.0, 19.5, 20.0, 40.0])
annotations = st.lists(
    st.fixed_dictionaries(
        dict(
            image_id=st.sampled_from([5, 7, 99]),
            category_id=st.sampled_from([1, 2, 9]),
            bbox=st.tuples(number, number, number, number).map(list),
            area=st.sampled_from([0, 4.0]),
            iscrowd=st.sampled_from([0, 0, 1]),
            ignore=st.sampled_from([False, False, True]),
        )
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(annotations)
def test_used_boxes_are_those_of_mmdetection(tmp_path: Path, boxes: list[dict[str, Any]]) -> None:
    images = [dict(id=i, file_name=f'{i}.png', width=20, height=30) for i in (7, 5)]
    categories = [dict(id=2, name='van'), dict(id=1, name='car')]
    boxes = [dict(box, id=i) for i, box in enumerate(boxes)]
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps(dict(images=images, annotations=boxes, categories=categories)))
    dataset = CocoDataset(
        ann_file=str(path),
        data_prefix=dict(img=''),
        metainfo=dict(classes=('van', 'car')),
        test_mode=True,
        serialize_data=False,  # collecting garbage takes most of the time
        pipeline=[],
    )
    expected = [
        (image['img_id'], instance['bbox_label'], *instance['bbox'])
        for image in (dataset.get_data_info(i) for i in range(2))
        for instance in image['instances']
        if not instance['ignore_flag']
    ]
    file = CocoFile.read(str(path))
    table = file.boxes
    found = [
        (file.images[table.image[row]]['id'], int(table.category[row]), *table.xyxy[row])
        for row in np.flatnonzero(table.used)
    ]
    assert sorted(found) == sorted(expected)


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
    found = {f.kind: f for f in check_dataset(config).issues}
    assert found['outside_folder'].examples == ['../secret.png']
    assert 'missing_files' not in found and 'unreadable_files' not in found
    train, val = (str(traffic / 'annotations' / f'{split}.json') for split in ('train', 'val'))
    args = (tmp_path / 'mine.py', ROOT / 'configs', train, val, [str(traffic / 'train')])
    with pytest.raises(UserError, match='lead out of the folder'):
        write_experiment(*args, val_images=str(traffic / 'val'))
    assert not (tmp_path / 'mine.py').exists()
    inside(traffic)
    assert 'outside_folder' not in {f.kind for f in check_dataset(config).issues}


def test_report(traffic: Path) -> None:
    test_set = load_test_set(load_experiment(CONFIG, dict(data_root=str(traffic))))
    label = test_set.category_ids[0]
    far = dict(image_id=0, category_id=label, bbox=[60, 40, 5, 5], score=0.9)
    with pytest.raises(UserError, match='leads out of the image folder'):
        worst_false_negatives(evaluate('a', 'a.json', test_set, [far]), 5)
    inside(traffic)
    test_set = load_test_set(load_experiment(CONFIG, dict(data_root=str(traffic))))
    assert len(worst_false_negatives(evaluate('a', 'a.json', test_set, [far]), 5)) == 1
