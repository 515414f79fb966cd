"""Against pycocotools: which detection found which annotation, and what counts neither way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.evaluation.error_kinds import match_at
from abc_mmdet.evaluation.matching import AREAS, match

from .coco_reference import run_pycocotools

CATEGORIES = [4, 2, 9]


def random_scene(seed: int, images: int = 3) -> tuple[list[dict], list[dict]]:
    """Boxes on a coarse grid, so that equal overlaps and equal boxes occur, and crowds.

    Annotations, and detections in any order, some with equal scores; a class may lack.
    """
    rng = np.random.default_rng(seed)
    annotations, detections = [], []
    steps = int(rng.choice([5, 1000]))  # of the scores: many are equal, or hardly any
    for image in range(images):
        for category in CATEGORIES[: rng.integers(1, 4)]:
            shared = dict(image_id=image, category_id=category)
            for _ in range(rng.integers(0, 6)):
                box = [*rng.integers(0, 5, 2) * 4.0, *rng.integers(1, 5, 2) * 4.0]
                crowd = int(rng.random() < 0.2)
                annotations.append(dict(shared, bbox=box, area=box[2] * box[3], iscrowd=crowd))
            for _ in range(rng.integers(0, 8)):
                box = [*rng.integers(0, 10, 2) * 2.0, *rng.integers(2, 10, 2) * 2.0]
                score = float(rng.integers(0, steps)) / steps
                detections.append(dict(shared, bbox=box, score=score))
    order = rng.permutation(len(detections))
    return annotations, [detections[i] for i in order]


@given(seed=st.integers(0, 10**6), max_dets=st.sampled_from([3, 100]))
def test_matches_are_those_of_pycocotools(seed: int, max_dets: int) -> None:
    annotations, detections = random_scene(seed)
    thresholds = np.array([0.3, 0.5, 0.75, 1.0])
    args = ([0, 1, 2], CATEGORIES, annotations, detections, thresholds)
    table = match(*args, max_dets, tuple(AREAS))
    theirs = [e for e in run_pycocotools(*args, (max_dets,)).evalImgs if e is not None]
    for column, area in enumerate(AREAS):
        for label, ours in enumerate(table[area]):
            expected: dict[int, tuple] = {}
            for e in theirs:
                if e['category_id'] == label and e['aRng'] == list(AREAS[area]):
                    assert ours.positives[e['image_id']] == np.sum(e['gtIgnore'] == 0), column
                    for i, number in enumerate(e['dtIds']):
                        found = e['dtMatches'][:, i].astype(int) - 1
                        expected[number - 1] = found.tolist(), e['dtIgnore'][:, i].tolist()
            assert {
                int(d): (ours.ground_truth[:, i].tolist(), ours.ignored[:, i].tolist())
                for i, d in enumerate(ours.detection)
            } == expected
            places = [(-detections[d]['score'], detections[d]['image_id']) for d in ours.detection]
            assert places == sorted(places), 'best first, ties in the order of the images'


@given(seed=st.integers(0, 10**6))
def test_all_classes_at_one_threshold(seed: int) -> None:
    annotations, detections = random_scene(seed)
    matches = match_at(0.5, CATEGORIES, annotations, detections)
    table = match([0, 1, 2], CATEGORIES, annotations, detections, [0.5])
    for label, of_class in enumerate(table['all']):
        assert (matches.labels[of_class.detection] == label).all()
        assert ((matches.ground_truth[of_class.detection] >= 0) == of_class.hit[0]).all()
        assert (matches.ignored[of_class.detection] == of_class.ignored[0]).all()
    found = matches.ground_truth[matches.ground_truth >= 0]
    assert len(set(found.tolist())) == len(found), 'every object once'
    for d, t in enumerate(matches.ground_truth.tolist()):
        if t >= 0:
            assert annotations[t]['image_id'] == detections[d]['image_id']
            assert annotations[t]['category_id'] == detections[d]['category_id']
            assert not annotations[t]['iscrowd']


def test_ids_are_numbers_or_text_in_any_order() -> None:
    box = dict(bbox=[0.0, 0.0, 10.0, 10.0])
    annotations = [dict(box, image_id=i, category_id='car', area=100.0) for i in ('b', 7, 'a')]
    detections = [dict(box, image_id=i, category_id='car', score=0.5) for i in ('a', 7, 'other')]
    (matches,) = match(['b', 7, 'a'], ['car'], annotations, detections, [0.5])['all']
    assert matches.detection.tolist() == [1, 0], 'numbers before text; none of other images'
    assert matches.ground_truth.tolist() == [[1, 2]]
    assert matches.positives.tolist() == [1, 1, 1]


def test_nothing_to_match() -> None:
    (matches,) = match([1], [4], [], [], [0.5, 0.75])['all']
    assert matches.hit.shape == matches.ignored.shape == (2, 0)
    assert matches.positives.tolist() == [0]
    empty = match_at(0.5, [4], [], [])
    assert empty.scores.shape == empty.counted.shape == (0,)
    with pytest.raises(KeyError):
        match([1], [4], [], [], [0.5], areas=('huge',))
