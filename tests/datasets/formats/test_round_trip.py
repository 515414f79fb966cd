"""Records, written by the tests in each format, come out of the reader as equal COCO files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abc_mmdet.datasets.formats import as_coco, read_folder
from mmdet.datasets import CocoDataset

from . import writers
from .writers import NAMES, Picture, Thing

Splits = dict[str, list[Picture]]


@st.composite
def things(draw: st.DrawFn, width: int, height: int) -> Thing:
    """Boxes in quarters of a pixel, which text and shares of the image hold."""
    x, y = (draw(st.integers(0, 4 * side - 8)) / 4 for side in (width, height))
    w, h = (draw(st.integers(8, int(4 * (s - low)))) / 4 for s, low in ((width, x), (height, y)))
    return Thing(draw(st.sampled_from(NAMES)), x, y, w, h, draw(st.booleans()))


@st.composite
def data_sets(draw: st.DrawFn) -> Splits:
    splits: Splits = {}
    for split in ('train', 'val'):
        pictures = []
        for i in range(draw(st.integers(1, 3))):
            width, height = draw(st.integers(16, 90)), draw(st.integers(16, 70))
            inside = draw(st.lists(things(width, height), max_size=4))
            pictures.append(Picture(f'{split}_{i}', width, height, tuple(inside)))
        some = Thing('car', 1, 2, 3, 4)
        first = pictures[0]
        pictures[0] = first._replace(things=(some, *first.things))
        splits[split] = pictures
    return splits


def seen(splits: Splits, ignores: bool) -> dict:
    """What has to come out."""
    return {
        split: {
            p.name: (
                (p.width, p.height),
                sorted(
                    (t.name, round(t.x, 6), round(t.y, 6), round(t.w, 6), round(t.h, 6), int(i))
                    for t in p.things
                    for i in [t.ignored and ignores]
                ),
            )
            for p in pictures
        }
        for split, pictures in splits.items()
    }


def read_back(root: Path, name: str) -> dict:
    """What a folder says, by way of COCO."""
    data = read_folder(root)
    assert data.format == name
    found = {}
    for split, images in data.splits.items():
        content = as_coco(images, data.classes, root)
        names = {category['id']: category['name'] for category in content['categories']}
        boxes: dict = {image['id']: [] for image in content['images']}
        for a in content['annotations']:
            assert a['area'] == pytest.approx(a['bbox'][2] * a['bbox'][3])
            xywh = [round(v, 6) for v in a['bbox']]
            boxes[a['image_id']].append((names[a['category_id']], *xywh, a['iscrowd']))
        found[split] = {
            Path(i['file_name']).stem: ((i['width'], i['height']), sorted(boxes[i['id']]))
            for i in content['images']
        }
        assert all((root / image['file_name']).is_file() for image in content['images'])
    return found


def voc_from_1(root: Path, splits: Splits) -> None:
    writers.voc(root, splits, first_pixel=1)


@pytest.mark.parametrize(
    ('name', 'write', 'ignores'),
    [
        ('yolo', writers.yolo, False),
        ('voc', writers.voc, True),
        ('voc', voc_from_1, True),
        ('labelme', writers.labelme, True),
        ('coco', writers.cvat, True),
        ('ai-tod', writers.ai_tod, True),
    ],
    ids=['yolo', 'voc', 'voc-from-1', 'labelme', 'cvat', 'ai-tod'],
)
def test_what_was_written_is_read(
    name: str, write: Callable[[Path, Splits], None], ignores: bool
) -> None:
    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data_sets())
    def check(splits: Splits) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / 'data'
            write(root, splits)
            assert read_back(root, name) == seen(splits, ignores)

    check()


def test_mmdetection_reads_what_is_ignored(tmp_path: Path) -> None:
    """``ignore_flag`` is 1 for crowds and for what had ``ignore``, which CocoDataset would drop."""
    pictures = [Picture('a', 60, 50, (Thing('car', 1, 2, 8, 9), Thing('car', 20, 9, 8, 9, True)))]
    for mark in ('ignore', 'iscrowd'):
        root = tmp_path / mark
        categories = [dict(id=3, name=name) for name in NAMES[:1]]
        path = root / 'annotations' / 'instances_train.json'
        writers.coco(path, root / 'images', pictures, categories, mark=mark)
        data = read_folder(root)
        out = tmp_path / f'{mark}.json'
        out.write_text(json.dumps(as_coco(data.splits['train'], data.classes, root)))
        dataset = CocoDataset(
            ann_file=str(out), data_prefix=dict(img=str(root)), metainfo=dict(classes=('car',))
        )
        instances = dataset.get_data_info(0)['instances']
        assert [instance['ignore_flag'] for instance in instances] == [0, 1]
        np.testing.assert_allclose(instances[1]['bbox'], [20, 9, 28, 18])
