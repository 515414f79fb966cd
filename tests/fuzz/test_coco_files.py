"""Annotation files with anything in them, through all that reads them."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from abc_mmdet.custom_dataset import CocoFile, as_dict, as_text, check_dataset, choose, read_whole
from abc_mmdet.report import evaluate, load_test_set
from mmdet.datasets import CocoDataset

from .case import cases, mutated, nasty, outcome, pick

NAMES = ('car', 'van', 'person')
WIDTH, HEIGHT = 96, 64
FIELDS = {
    'images': ('id', 'file_name', 'width', 'height'),
    'annotations': ('id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd', 'ignore'),
    'categories': ('id', 'name'),
}


def whole() -> dict[str, Any]:
    """A file without a mistake."""
    images = [dict(id=i, file_name=f'image{i}.png', width=WIDTH, height=HEIGHT) for i in range(3)]
    annotations = [
        dict(id=3 * i + k, image_id=i, category_id=k, bbox=[5 * k, 7, s, s], area=s * s, iscrowd=0)
        for i in range(3)
        for k, s in enumerate((30, 20, 6), 1)
    ]
    categories = [dict(id=i, name=name) for i, name in enumerate(NAMES, 1)]
    return dict(images=images, annotations=annotations, categories=categories)


def change(content: dict[str, Any], data: st.DataObject) -> None:
    """One change somewhere in the structure."""
    name = pick(data, FIELDS, 'list')
    kind = pick(data, ['value', 'value', 'value', 'drop', 'twice', 'entry', 'list'], 'kind')
    entries = content.get(name)
    if kind == 'list' or not isinstance(entries, list) or not entries:
        content[name] = data.draw(nasty(), label='value')
        return
    place = data.draw(st.integers(0, len(entries) - 1), label='place')
    if kind == 'entry':
        entries[place] = data.draw(nasty(), label='value')
    elif kind == 'twice':
        entries.append(copy.deepcopy(entries[place]))
    elif isinstance(entries[place], dict):
        field = pick(data, FIELDS[name], 'field')
        if kind == 'drop':
            entries[place].pop(field, None)
        else:
            entries[place][field] = data.draw(nasty(), label='value')


def written(data: st.DataObject) -> bytes:
    """A file with changes in its structure, or in its bytes."""
    content = whole()
    if pick(data, [False, False, False, True], 'bytes'):
        return mutated(json.dumps(content).encode(), data)
    for _ in range(data.draw(st.integers(0, 3), label='changes')):
        change(content, data)
    return json.dumps(content).encode()


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('coco')
    (folder / 'images').mkdir()
    for image in whole()['images']:
        pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        cv2.imwrite(str(folder / 'images' / image['file_name']), pixels)
    (folder / 'other.json').write_text(json.dumps(whole()))
    return folder


def dataset(folder: Path, split: str) -> dict[str, Any]:
    return dict(
        type='CocoDataset',
        data_root=str(folder),
        ann_file=f'{split}.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=NAMES),
        test_mode=True,
        serialize_data=False,  # which collects garbage for a second
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(48, 32), keep_ratio=True),
            dict(type='PackDetInputs'),
        ],
    )


def config(folder: Path) -> Config:
    return Config(
        dict(
            train_dataloader=dict(dataset=dataset(folder, 'other')),
            val_dataloader=dict(dataset=dataset(folder, 'case')),
            test_dataloader=dict(dataset=dataset(folder, 'case')),
            test_evaluator=dict(type='SmallObjectMetric', small_classes=('person',)),
        )
    )


def expected_boxes(content: dict[str, Any]) -> dict[Any, list[tuple]]:
    """Ground truth as MMDetection documents it, from the bare file."""
    sizes = {i['id']: (i['width'], i['height']) for i in content['images']}
    labels: dict[Any, int] = {}
    for category in content['categories']:
        if category['name'] in NAMES:
            labels[category['id']] = len(labels)
    boxes: dict[Any, list[tuple]] = {image: [] for image in sizes}
    for entry in content.get('annotations', []):
        if entry.get('ignore') or entry['image_id'] not in sizes:
            continue
        x, y, w, h = entry['bbox']
        width, height = sizes[entry['image_id']]
        seen = max(0, min(x + w, width) - max(x, 0)) * max(0, min(y + h, height) - max(y, 0))
        if seen and entry['area'] > 0 and w >= 1 and h >= 1 and entry['category_id'] in labels:
            crowd = int(bool(entry.get('iscrowd')))
            label = labels[entry['category_id']]
            boxes[entry['image_id']].append((label, crowd, x, y, x + w, y + h))
    return boxes


@pytest.mark.slow
@cases(0.18)
@given(data=st.data())
def test_training_and_testing(folder: Path, data: st.DataObject) -> None:
    content, path = written(data), folder / 'case.json'
    path.write_bytes(content)
    found = outcome(lambda: read_whole(str(path), str(folder / 'images')), str(path))
    if found is None:
        return
    with contextlib.redirect_stdout(io.StringIO()):
        loaded = CocoDataset(**{k: v for k, v in dataset(folder, 'case').items() if k != 'type'})
    theirs = {
        info['img_id']: [
            (i['bbox_label'], i['ignore_flag'], *map(float, i['bbox'])) for i in info['instances']
        ]
        for info in (loaded.get_data_info(i) for i in range(len(loaded)))
    }
    parsed = json.loads(content)
    assert theirs == expected_boxes(parsed)
    assert all(math.isfinite(v) for boxes in theirs.values() for box in boxes for v in box)
    # Our own table agrees about what is used
    table = found.boxes
    ours: dict[Any, list[tuple]] = {image['id']: [] for image in found.images}
    wanted = [n for n in found.names if n in NAMES]
    for row in np.flatnonzero(table.used):
        name = found.categories[table.category[row]]['name']
        if name in wanted:
            label = wanted.index(name)
            box = (label, 0, *map(float, table.xyxy[row]))
            ours[found.images[table.image[row]]['id']].append(box)
    assert ours == {i: [b for b in boxes if not b[1]] for i, boxes in theirs.items()}


@cases(0.08)
@given(data=st.data())
def test_data_doctor(folder: Path, data: st.DataObject) -> None:
    path = folder / 'case.json'
    path.write_bytes(written(data))
    dataset_check = outcome(lambda: check_dataset(config(folder), decode=False), str(path))
    if dataset_check is None:
        return
    assert as_text(dataset_check)
    described = json.loads(json.dumps(as_dict(dataset_check), allow_nan=False))
    assert described['problems'] == dataset_check.number_of('problem')
    file = CocoFile.read(str(path))
    entries = [len(json.loads(path.read_bytes()).get(name, [])) for name in FIELDS]
    kept = len(file.images) + len(file.annotations) + len(file.categories)
    assert kept + len(file.malformed) == sum(entries)
    assert len(dataset_check.splits[-1].sizes) <= int(file.boxes.used.sum())


@cases(0.03)
@given(data=st.data())
def test_new_config(folder: Path, data: st.DataObject) -> None:
    path, good = folder / 'case.json', CocoFile.read(str(folder / 'other.json'))
    path.write_bytes(written(data))
    file = outcome(lambda: read_whole(str(path)), str(path))
    if file is not None:
        for pair in ((file, good), (good, file)):
            outcome(lambda pair=pair: choose(*pair, 's'), str(path), good.path)


@cases(0.05)
@given(data=st.data())
def test_report(folder: Path, data: st.DataObject) -> None:
    path = folder / 'case.json'
    path.write_bytes(written(data))
    test_set = outcome(lambda: load_test_set(config(folder)), str(path))
    if test_set is None:
        return
    images = list(test_set.images)
    found = [
        dict(image_id=image, category_id=category, bbox=[5.0, 7.0, 30.0, 30.0], score=0.5)
        for image in images
        for category in test_set.category_ids
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        result = evaluate('a', 'a.json', test_set, found)
    ap = result.named['bbox_mAP']
    assert math.isnan(ap) or -1 <= ap <= 1


@cases(0.02)
@given(text=st.sampled_from(['[', '{"a":', '[[', '{"images":[']), depth=st.integers(1, 200_000))
def test_nesting(folder: Path, text: str, depth: int) -> None:
    path = folder / 'case.json'
    path.write_text(text * depth)
    assert outcome(lambda: read_whole(str(path)), str(path)) is None
