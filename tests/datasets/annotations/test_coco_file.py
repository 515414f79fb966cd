import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abc_mmdet.errors import UserError
from abc_mmdet.own_data import CocoFile
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


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
