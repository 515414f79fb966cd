"""Files whose numbers mean something else than COCO's are told from those in order."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from abc_mmdet.custom_dataset.annotation_checks import check_annotations, check_reading

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
    found = {issue.kind: issue for issue in check_annotations(file)}
    # An image without boxes is part of some defects
    assert set(found) - {'empty_images'} == {kind} - {'empty_images'}
    issue = found[kind]
    assert (issue.level, issue.count, issue.where) == (level, 1, file.path)
    assert example in issue.examples[0]


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
    (issue,) = check_annotations(coco(entries))
    assert issue.count == 20
    assert len(issue.examples) == 5
    entries['annotations'] = entries['annotations'][:3]
    (issue,) = check_annotations(coco(entries))
    assert (issue.kind, issue.level, issue.count) == ('empty_images', 'warning', 3)


Entries = dict[str, Any]


def entries(width: int = 640, height: int = 480, number: int = 40) -> Entries:
    """Boxes of 10 to 60 pixels all over the images, two classes numbered from 1."""
    rng = np.random.default_rng(0)
    images = [dict(id=i, file_name=f'{i}.png', width=width, height=height) for i in range(4)]
    annotations = []
    for i in range(number):
        w, h = (int(side) for side in rng.integers(10, 60, 2))
        x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
        ids = dict(id=i, image_id=i % 4, category_id=1 + i % 2)
        annotations.append(dict(ids, bbox=[x, y, w, h], area=w * h))
    categories = [dict(id=1, name='car'), dict(id=2, name='van')]
    return dict(images=images, annotations=annotations, categories=categories)


def change(content: Entries, box: Callable[[float, float, float, float], list]) -> None:
    for annotation in content['annotations']:
        annotation['bbox'] = box(*annotation['bbox'])


def as_corners(content: Entries) -> None:
    change(content, lambda x, y, w, h: [x, y, x + w, y + h])


def as_corners_with_their_area(content: Entries) -> None:
    as_corners(content)
    for annotation in content['annotations']:
        annotation['area'] = annotation['bbox'][2] * annotation['bbox'][3]


def as_centres(content: Entries) -> None:
    # Of 200 boxes enough reach over the right or lower border when taken as x, y, width, height
    content.update(entries(number=200))
    change(content, lambda x, y, w, h: [x + w / 2, y + h / 2, w, h])


def as_percentages(content: Entries) -> None:
    change(content, lambda x, y, w, h: [x / 6.4, y / 4.8, w / 6.4, h / 4.8])
    for annotation in content['annotations']:
        annotation['area'] = annotation['bbox'][2] * annotation['bbox'][3]


def counted_from_0(content: Entries) -> None:
    for annotation in content['annotations']:
        annotation['category_id'] -= 1


def listed_from_0(content: Entries) -> None:
    for category in content['categories']:
        category['id'] -= 1


def with_area(area: float) -> Callable[[Entries], None]:
    def spoil(content: Entries) -> None:
        for annotation in content['annotations']:
            annotation['area'] = area

    return spoil


@pytest.mark.parametrize(
    ('spoil', 'kind', 'level', 'count'),
    [
        (as_corners, 'corner_boxes', 'problem', 40),
        (as_corners_with_their_area, 'corner_boxes', 'problem', 40),
        (as_centres, 'centre_boxes', 'warning', 200),
        (as_percentages, 'percent_boxes', 'warning', 40),
        (counted_from_0, 'shifted_categories', 'problem', 40),
        (listed_from_0, 'shifted_categories', 'problem', 40),
        (with_area(640 * 480), 'area_too_large', 'problem', 40),
        (with_area(1), 'one_area', 'problem', 40),
    ],
)
def test_another_meaning_is_named(
    spoil: Callable[[Entries], None], kind: str, level: str, count: int, coco
) -> None:
    content = entries()
    spoil(content)
    (issue,) = check_reading(coco(content))
    assert (issue.kind, issue.level, issue.count) == (kind, level, count)


def nothing(content: Entries) -> None:
    pass


def whole_images(content: Entries) -> None:
    change(content, lambda x, y, w, h: [0, 0, 640, 480])
    with_area(640 * 480)(content)


def large_objects(content: Entries) -> None:
    """Wider than they are far from the border, and a fifth of them a bit too wide."""
    for i, annotation in enumerate(content['annotations']):
        annotation['bbox'] = [30, 20, 612 if i % 5 == 0 else 600, 450]
        annotation['area'] = annotation['bbox'][2] * 450


def over_all_borders(content: Entries) -> None:
    change(content, lambda x, y, w, h: [x - 20, y - 20, w + 40, h + 40])
    for annotation in content['annotations']:
        annotation['area'] = annotation['bbox'][2] * annotation['bbox'][3]


def areas_of_outlines(content: Entries) -> None:
    for annotation in content['annotations']:
        annotation['area'] *= 0.6


def a_pixel_more(content: Entries) -> None:
    for annotation in content['annotations']:
        annotation['area'] = (annotation['bbox'][2] + 1) * (annotation['bbox'][3] + 1)


def a_class_left_out(content: Entries) -> None:
    content['annotations'][0]['category_id'] = 3


def few(content: Entries) -> None:
    as_corners(content)
    del content['annotations'][4:]


@pytest.mark.parametrize(
    'change_nothing',
    [
        nothing,
        whole_images,
        large_objects,
        over_all_borders,
        areas_of_outlines,
        a_pixel_more,
        a_class_left_out,
        few,
    ],
)
def test_files_in_order_are_left_alone(change_nothing: Callable[[Entries], None], coco) -> None:
    content = entries()
    change_nothing(content)
    assert list(check_reading(coco(content))) == []
