"""Which mistakes are shown, and the crops around them."""

import base64
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.errors import UserError
from abc_mmdet.report import evaluate
from abc_mmdet.report.gallery import (
    CONTEXT,
    LEAST_SIDE,
    MOST_PIXELS,
    PER_IMAGE,
    crop,
    smallest_hits,
    worst_false_negatives,
    worst_false_positives,
)
from abc_mmdet.report.ground_truth import read_image


def pixels(uri: str) -> np.ndarray:
    kind, content = uri.split(';base64,')
    assert kind in ('data:image/png', 'data:image/jpeg')
    return cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)


@given(
    size=st.tuples(st.integers(20, 700), st.integers(20, 700)),
    corner=st.tuples(st.floats(-5, 690), st.floats(-5, 690)),
    side=st.floats(1, 300),
)
def test_target_is_where_the_rectangle_says(
    size: tuple[int, int], corner: tuple[float, float], side: float
) -> None:
    height, width = size
    # every pixel tells its place
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows // 4, columns // 4, 0 * rows], axis=2).astype(np.uint8)
    # in part in the image
    x = min(max(corner[0], 1 - side), width - 1.0)
    y = min(max(corner[1], 1 - side / 2), height - 1.0)
    box = [x, y, side, side / 2]
    result = crop(
        image, box, ground_truth=[box], detections=[[n + 1 for n in box]], is_ground_truth=True
    )
    shown = pixels(result.uri)
    assert shown.shape[0] == shown.shape[1] <= MOST_PIXELS
    target = [r for r in result.rectangles if r.is_target]
    assert [r.kind for r in target] == ['ground_truth']
    assert result.rectangles[-1] is target[0], 'above the others'
    of_image = min(max(LEAST_SIDE, round(CONTEXT * side)), height, width)
    if of_image <= 128:  # as it is in the file
        assert len(shown) == of_image
        left = box[0] - target[0].x * of_image
        top = box[1] - target[0].y * of_image
        assert shown[0, 0, 0] == round(top) // 4
        assert shown[0, 0, 1] == round(left) // 4


def test_boxes_elsewhere_are_not_drawn() -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    box = [10.0, 10, 5, 5]
    found = [[300.0, 300, 10, 10], box]
    result = crop(
        image, box, ground_truth=[[20.0, 20, 4, 4]], detections=found, is_ground_truth=False
    )
    assert [(r.kind, r.is_target) for r in result.rectangles] == [
        ('ground_truth', False),
        ('detection', True),
    ]


def test_false_negatives_take_the_classes_in_turn(results: list) -> None:
    result = results[0]
    test, errors = result.test_set, result.errors
    shown = worst_false_negatives(result, 8)
    assert 4 < len(shown) <= 8
    assert max(Counter(m.image['id'] for m in shown).values()) <= PER_IMAGE
    missed = [test.annotations[t] for t in errors.false_negatives]
    places = [(a['bbox'], a['image_id']) for a in missed]
    assert all((m.box, m.image['id']) in places for m in shown)
    first_names = [m.class_name for m in shown[:3]]
    assert len(set(first_names)) == 3
    small = {test.classes[label] for label in test.small}
    assert set(first_names) <= small, 'the small classes first'
    assert all(sum(r.is_target for r in m.crop.rectangles) == 1 for m in shown)


def test_verdicts_of_false_negatives(results: list) -> None:
    result = results[0]
    errors = result.errors
    verdicts = [m.verdict for m in worst_false_negatives(result, 1000)]
    assert any(v == 'not found at any score' for v in verdicts)
    assert any(v.startswith('taken for ') for v in verdicts) == bool(errors.taken_for)
    for verdict in verdicts:
        if verdict.endswith('only'):
            assert float(verdict.split()[2]) <= errors.threshold


def test_surest_false_positives_come_first(results: list) -> None:
    result = results[0]
    shown = worst_false_positives(result, 6)
    scores = [float(m.verdict.split(',')[0]) for m in shown]
    assert scores == sorted(scores, reverse=True)
    best = max(result.matches.scores[d] for d in result.errors.false_positives)
    assert scores[0] == pytest.approx(best, abs=0.006)
    assert worst_false_positives(result, 0) == []


def test_hits_are_small_objects_that_were_found(results: list) -> None:
    result = results[1]
    test = result.test_set
    shown = smallest_hits(result, 1000)
    assert max(Counter(e.image['id'] for e in shown).values()) == PER_IMAGE
    for example in shown:
        (true,) = [
            a
            for a in test.annotations
            if a['bbox'] == example.box and a['image_id'] == example.image['id']
        ]
        assert true['area'] < 32 * 32
        assert test.classes[test.category_ids.index(true['category_id'])] == example.class_name
        score, iou = map(float, example.verdict.replace('IoU ', '').split(', '))
        assert score >= result.errors.threshold - 0.005 and iou >= 0.495
        assert any(
            abs(d['score'] - score) < 0.006 and overlap(d['bbox'], example.box) > iou - 0.006
            for d in result.detections
            if d['category_id'] == true['category_id'] and d['image_id'] == true['image_id']
        )
        assert sum(r.is_target for r in example.crop.rectangles) == 1
    first = {e.class_name for e in shown[:3]}
    assert len(first) == 3 and first <= {test.classes[label] for label in test.small}
    assert smallest_hits(evaluate('a', 'a', test, []), 5) == []


def overlap(one: list, other: list) -> float:
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    both = max(width, 0) * max(height, 0)
    return both / (one[2] * one[3] + other[2] * other[3] - both)


def test_images_of_all_kinds_and_none(tmp_path: Path) -> None:
    for name, image in {
        'grey.png': np.zeros((5, 7), np.uint8),
        'deep.png': np.full((5, 7), 40_000, np.uint16),
        'alpha.png': np.zeros((5, 7, 4), np.uint8),
    }.items():
        cv2.imwrite(str(tmp_path / name), image)
        read = read_image(tmp_path / name)
        assert read.shape == (5, 7, 3) and read.dtype == np.uint8
    assert read_image(tmp_path / 'deep.png').max() == 40_000 // 256
    for content, message in ((b'\xff\xd8\xff', 'is no image'), (b'', 'is empty')):
        path = tmp_path / f'{len(content)}.jpg'
        path.write_bytes(content)
        with pytest.raises(UserError, match=rf'{path.name} {message}'):
            read_image(path)
    with pytest.raises(UserError, match='--gallery 0'):
        read_image(tmp_path / 'none.jpg')
