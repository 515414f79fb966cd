import json
from pathlib import Path

import pytest

from abc_mmdet.errors import UserError
from abc_mmdet.report import TestSet, read_detections


def entry(test_set: TestSet, **changes: object) -> dict:
    image, category = next(iter(test_set.images)), test_set.category_ids[0]
    return dict(
        dict(image_id=image, category_id=category, bbox=[1, 2, 3, 4.5], score=0.5), **changes
    )


def test_reads_what_is_there(test_set: TestSet, tmp_path: Path) -> None:
    path = tmp_path / 'a.bbox.json'
    for content in ([], [entry(test_set)]):
        path.write_text(json.dumps(content))
        assert read_detections(path, test_set) == content


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(image_id=987654), r'another data set than .*val.json: 1 of its 1 images .*987654'),
        (dict(image_id=[1]), 'image_id and category_id .* are no ids'),
        (dict(image_id='1'), "1 of its 1 images .*'1'"),
        (dict(category_id=77), 'another data set.*1 of its 1 categories'),
        (dict(bbox=[1, 2, 3]), r'entry 0: bbox \[1, 2, 3\]'),
        (dict(score=float('nan')), 'no finite numbers'),
    ],
)
def test_refuses_entries(test_set: TestSet, tmp_path: Path, change: dict, message: str) -> None:
    path = tmp_path / 'a.bbox.json'
    path.write_text(json.dumps([entry(test_set, **change)]))
    with pytest.raises(UserError, match=message):
        read_detections(path, test_set)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, r'no results .*tools/test.py .*--out'),
        (b'[{"image_id": 1,', 'cut off'),
        (b'\x80\x04\x95', 'no JSON'),  # a pickle
        (b'{"images": []}', 'no list of detections'),
        (b'[{"image_id": 1}]', 'entry 0: .* none of COCO results'),
        (b'[5]', 'entry 0'),
    ],
)
def test_refuses_files(
    test_set: TestSet, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / 'a.bbox.json'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_detections(path, test_set)
