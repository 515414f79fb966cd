"""Tracks of detections whose objects are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from abc_mmdet.errors import UserError
from abc_mmdet.inference import SequenceTracker, Tracking
from abc_mmdet.inference.sources import Source
from abc_mmdet.inference.tracking import Place, in_sequences

from .sequences import detections, driving, mota_and_idf1, objects_of

SPEEDS, IMAGES = (0.25, 1.5, 2.5), 10
"""In sizes per image: with the last two a box never overlaps the one before."""


def pairs(tracking: Tracking, centres: list[np.ndarray]) -> list[list[tuple[int, int]]]:
    tracker, images = SequenceTracker(tracking), []
    for number, where in enumerate(centres):
        found = tracker(detections(where), number)
        assert found.ids is not None and found.ids.min(initial=1) >= 1
        assert len(set(found.ids.tolist())) == len(found) == len(where)
        images.append(list(zip(objects_of(found, where), found.ids.tolist(), strict=True)))
    return images


@pytest.mark.parametrize('tracker', ['bytetrack', 'ocsort'])
@pytest.mark.parametrize('overlaps', ['nwd', 'biou'])
def test_fast_objects_keep_their_number(tracker: str, overlaps: str) -> None:
    images = pairs(Tracking(tracker, overlaps), driving(SPEEDS, IMAGES))
    assert mota_and_idf1(images) == (1.0, 1.0)
    assert images[0] == images[-1]


@pytest.mark.parametrize('tracker', ['bytetrack', 'ocsort'])
def test_plain_iou_loses_them(tracker: str) -> None:
    """Each image gives the two fast ones new numbers: 18 changes in 30 boxes, 12 explained."""
    images = pairs(Tracking(tracker, 'iou'), driving(SPEEDS, IMAGES))
    assert len({track for image in images for thing, track in image if thing == 0}) == 1
    for fast in (1, 2):
        assert len({track for image in images for thing, track in image if thing == fast}) == IMAGES
    assert mota_and_idf1(images) == pytest.approx((1 - 18 / 30, 12 / 30))


def test_motmetrics_counts_the_same() -> None:
    motmetrics = pytest.importorskip('motmetrics')
    for overlaps in ('iou', 'nwd'):
        images = pairs(Tracking(overlaps=overlaps), driving(SPEEDS, IMAGES))
        counted = motmetrics.MOTAccumulator(auto_id=True)
        for image in images:
            things, tracks = zip(*image, strict=True)
            counted.update(things, tracks, np.where(np.eye(len(image)) > 0, 0.0, np.nan))
        figures = motmetrics.metrics.create().compute(counted, metrics=['mota', 'idf1'])
        assert figures.iloc[0].tolist() == pytest.approx(mota_and_idf1(images))


def test_an_object_is_found_again_where_it_should_be() -> None:
    """Missed in one image, in which nothing else is detected either, and in another one."""
    centres = driving((2.0, 2.0), 12)
    for alone in (True, False):
        tracker, numbers = SequenceTracker(Tracking()), []
        for number, where in enumerate(centres):
            missed = number in (6, 7)
            kept = where[:0] if missed and alone else where[:1] if missed else where
            found = tracker(detections(kept), number)
            numbers.append(dict(zip(objects_of(found, where), found.ids, strict=True)))
        assert numbers[-1] == numbers[0] and len(numbers[7]) == (0 if alone else 1)


def test_low_scores_go_on_but_begin_nothing() -> None:
    """As ByteTrack: 0.3 begins a track, 0.15 continues it, 0.05 does neither."""
    tracker = SequenceTracker(Tracking(score_thr=0.3))
    (centres,) = driving((0.0, 0.0), 1)
    scores = [(0.3, 0.15), (0.15, 0.15), (0.05, 0.15), (0.3, 0.05)]
    listed = [tracker(detections(centres, np.array(s)), i) for i, s in enumerate(scores)]
    assert [found.ids.tolist() for found in listed] == [[1], [1], [], [1]]


def test_numbers_are_drawn() -> None:
    (centres,) = driving((0.0,), 1)
    found = SequenceTracker(Tracking())(detections(centres), 0)
    drawn = [replace(found, ids=ids).draw() for ids in (None, np.array([1]), np.array([2]))]
    assert all((a != b).any() for a, b in zip(drawn, [*drawn[1:], drawn[0]], strict=True))


def test_classes_do_not_mix() -> None:
    tracker = SequenceTracker(Tracking())
    (centres,) = driving((0.0,), 1)
    found = [tracker(detections(centres), 0)]
    other = detections(centres)
    other.labels[:] = 1
    found.append(tracker(other, 1))
    assert [f.ids.tolist() for f in found] == [[1], [2]]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(tracker='sort'), "tracker='sort': give one of bytetrack, ocsort"),
        (dict(overlaps='giou'), "overlaps='giou': give one of nwd, biou, iou"),
        (dict(reach=0.5), 'reach=0.5: give by how many of its sizes'),
        (dict(reach=float('nan')), 'reach=nan: give'),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else '',
)
def test_mistakes(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Tracking(**options)


def test_images_in_the_order_of_time() -> None:
    names = ['a/img10.jpg', 'a/img9.jpg', 'b/1.png', 'street.mp4', 'a/img1.jpg', 'b/02.png']
    sources = [Source(Path('/in', name), name) for name in names]
    other = Source(Path('/else/b/7.png'), '7.png')
    places = in_sequences([*sources, other])
    ordered = ['a/img1.jpg', 'a/img9.jpg', 'a/img10.jpg', 'b/1.png', 'b/02.png', 'street.mp4']
    assert [source.name for source in places] == [*ordered, '7.png']
    assert places[sources[0]] == Place('a', 2) and places[sources[3]] == Place('street.mp4', 0)
    assert places[other].sequence != places[sources[2]].sequence, 'two folders of one name'
