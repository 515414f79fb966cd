from collections.abc import Callable
from typing import Any

import pytest

from abc_mmdet.own_data.annotation_check import check_annotations

from .conftest import content


def box(entries: dict[str, Any], **changed: Any) -> None:
    added = entries['annotations'][0] | dict(id=1000) | changed
    if 'bbox' in changed:
        added['area'] = changed.get('area', max(changed['bbox'][2] * changed['bbox'][3], 1))
    entries['annotations'].append(added)


def image(entries: dict[str, Any], **changed: Any) -> None:
    entries['images'].append(entries['images'][0] | dict(id=1000, file_name='new.png') | changed)


DEFECTS: dict[str, tuple[str, Callable[[dict[str, Any]], Any], str]] = {
    'malformed_entries': ('problem', lambda e: e['annotations'][0].pop('area'), 'no area'),
    'duplicate_image_ids': ('problem', lambda e: image(e, id=0), '0 (2 times)'),
    'duplicate_annotation_ids': (
        'problem',
        lambda e: box(e, id=0, bbox=[1, 1, 9, 9]),
        '0 (2 times)',
    ),
    'duplicate_category_ids': (
        'problem',
        lambda e: e['categories'].append(dict(id=1, name='x')),
        '1 (2 times)',
    ),
    'duplicate_category_names': (
        'problem',
        lambda e: e['categories'].append(dict(id=9, name='car')),
        'car (2 times)',
    ),
    'duplicate_file_names': (
        'problem',
        lambda e: image(e, file_name='image0.png'),
        'image0.png (2 times)',
    ),
    'unknown_image_id': ('problem', lambda e: box(e, image_id=77), 'image_id 77'),
    'unknown_category_id': ('problem', lambda e: box(e, category_id=77), 'category_id 77'),
    'zero_area': ('problem', lambda e: box(e, bbox=[1, 1, 0, 5]), 'bbox [1, 1, 0, 5]'),
    'no_area': ('problem', lambda e: box(e, bbox=[1, 1, 5, 5], area=0), 'id 1000'),
    'outside_image': ('problem', lambda e: box(e, bbox=[100, 1, 5, 5]), 'bbox [100, 1, 5, 5]'),
    'below_one_pixel': ('warning', lambda e: box(e, bbox=[1, 1, 0.5, 5]), 'id 1000'),
    'across_border': ('warning', lambda e: box(e, bbox=[90, 1, 8, 8]), 'id 1000 in image0.png'),
    'duplicate_boxes': ('problem', lambda e: box(e), 'id 1000'),
    'empty_images': ('note', image, 'new.png'),
}


def test_a_file_in_order(coco) -> None:
    assert list(check_annotations(coco())) == []


@pytest.mark.parametrize('kind', DEFECTS)
def test_defect_is_found_where_it_is(kind: str, coco) -> None:
    level, spoil, example = DEFECTS[kind]
    entries = content()
    spoil(entries)
    file = coco(entries)
    found = {finding.kind: finding for finding in check_annotations(file)}
    # An image without boxes is part of some defects
    assert set(found) - {'empty_images'} == {kind} - {'empty_images'}
    finding = found[kind]
    assert (finding.level, finding.count, finding.where) == (level, 1, file.path)
    assert example in finding.examples[0]


def test_what_is_no_defect(coco) -> None:
    entries = content()
    box(entries, bbox=[90, 1, 6.9, 8])  # by less than a pixel over the border
    box(entries, id=1001, category_id=2)  # the same place, another class
    box(entries, id=1002, image_id=1, bbox=entries['annotations'][0]['bbox'])
    assert list(check_annotations(coco(entries))) == []


def test_many_are_counted_and_few_are_shown(coco) -> None:
    entries = content()
    for i in range(20):
        box(entries, id=1000 + i, bbox=[1, 1, 5, -2])
    (finding,) = check_annotations(coco(entries))
    assert finding.count == 20
    assert len(finding.examples) == 5
    entries['annotations'] = entries['annotations'][:3]
    (finding,) = check_annotations(coco(entries))
    assert (finding.kind, finding.level, finding.count) == ('empty_images', 'warning', 3)
