"""Against the matches that the ladder's AP is computed from."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from abc_mmdet.evaluation.matches_at import IOU, match
from abc_mmdet.evaluation.matching import match_table
from abc_mmdet.report.test_set import TestSet

CATEGORIES = [4, 2, 9]


def random_scene(seed: int) -> tuple[TestSet, list[dict]]:
    """Boxes on a coarse grid, so that equal overlaps and equal boxes occur; one class may lack."""
    rng = np.random.default_rng(seed)
    annotations, detections = [], []
    for image in range(3):
        for category in CATEGORIES[: rng.integers(1, 4)]:
            for _ in range(rng.integers(0, 6)):
                box = [*rng.integers(0, 5, 2) * 4, *rng.integers(2, 5, 2) * 4]
                shared = dict(image_id=image, category_id=category)
                crowd = int(rng.random() < 0.2)
                box = list(map(float, box))
                area = box[2] * box[3]
                annotations.append(dict(shared, bbox=box, area=area, iscrowd=crowd))
            for _ in range(rng.integers(0, 8)):
                box = [*rng.integers(0, 10, 2) * 2, *rng.integers(4, 10, 2) * 2]
                detections.append(
                    dict(
                        image_id=image,
                        category_id=category,
                        bbox=list(map(float, box)),
                        score=float(rng.permutation(1000)[0]) / 1000,
                    )
                )
    order = rng.permutation(len(detections))
    test = TestSet(
        source=None,
        picture=None,
        images={i: dict(id=i) for i in range(3)},
        annotations=annotations,
        classes=('a', 'b', 'c'),
        category_ids=CATEGORIES,
        small=[0],
        thresholds=np.array([IOU]),
        max_dets=(100,),
    )
    return test, [detections[i] for i in order]


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_hits_are_those_of_coco(seed: int) -> None:
    test, detections = random_scene(seed)
    matches = match(test, detections)
    table = match_table(
        [0, 1, 2], CATEGORIES, test.annotations, detections, np.array([IOU]), 100, ('all',)
    )
    for label, theirs in enumerate(table['all']):
        # in their order: by score, ties by image
        mine = np.flatnonzero(matches.labels == label)
        images = np.array([detections[d]['image_id'] for d in mine], int)
        mine = mine[np.lexsort([np.arange(len(mine)), images, -matches.scores[mine]])]
        assert (matches.truth[mine] >= 0).tolist() == theirs.hit[0].tolist()
        assert matches.ignored[mine].tolist() == theirs.ignored[0].tolist()
    found = matches.truth[matches.truth >= 0]
    assert len(set(found.tolist())) == len(found), 'every object once'
    for d, t in enumerate(matches.truth.tolist()):
        if t >= 0:
            assert test.annotations[t]['image_id'] == detections[d]['image_id']
            assert test.annotations[t]['category_id'] == detections[d]['category_id']
            assert not test.annotations[t]['iscrowd']
