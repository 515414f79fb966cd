"""What an image tells, counted by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

from abc_mmdet.inference import Detections

sys.path.append(str(Path(__file__).parents[3] / 'benchmarks'))

from image_selection.informativeness import Informativeness, informativeness


def found(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    """Of boxes as left, top, width and height, with score and label."""
    table = np.array(rows, float).reshape(-1, 6)
    boxes = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
    return Detections(
        boxes=boxes.astype(np.float32),
        scores=table[:, 4].astype(np.float32),
        labels=table[:, 5].astype(np.int64),
        classes=('car', 'bus'),
        size=(640, 480),
        source=Path('a.jpg'),
    )


QUARTER = 0.811278124459133  # bits of 1/4 and of 3/4: 2 - 3/4 * log2(3)


@pytest.mark.parametrize(
    ('detections', 'uncertainty'),
    [
        (found(), 0),
        (found((0, 0, 8, 8, 0.5, 0)), 1),
        (found((0, 0, 8, 8, 0.5, 0), (50, 50, 8, 8, 0.5, 1)), 2),
        (found((0, 0, 8, 8, 0.25, 0), (50, 50, 8, 8, 0.75, 1)), 2 * QUARTER),
        (found((0, 0, 8, 8, 1, 0), (50, 50, 8, 8, 0.04, 1)), 0),  # sure; too low to be looked at
        (found((0, 0, 32, 32, 0.5, 0), (50, 50, 31, 32, 0.5, 1)), 1),  # only below 32 * 32 is small
    ],
)
def test_uncertainty(detections: Detections, uncertainty: float) -> None:
    told = informativeness(detections)
    assert told.uncertainty == pytest.approx(uncertainty, abs=1e-6)
    assert told.disagreement == 0
    assert told.weight == pytest.approx(1 + uncertainty, abs=1e-6)


ONE = (100, 100, 8, 8, 0.75, 0)


@pytest.mark.parametrize(
    ('sliced', 'disagreement'),
    [
        (found(ONE), 0),
        (found((100, 100, 8, 8, 0.25, 0)), 0.5),
        (found(), 0.75),
        (found((100, 100, 8, 8, 0.75, 1)), 1.5),  # another class: two that one view alone has
        # The distance of the Gaussians is that of the centres: alike up to 8 * log(2) = 5.545 px
        (found((105.5, 100, 8, 8, 0.5, 0)), 0.25),
        (found((105.6, 100, 8, 8, 0.5, 0)), 1.25),
        # The nearer one is taken for it, whatever the scores, and the other is new
        (found((102, 100, 8, 8, 0.75, 0), (101, 100, 8, 8, 0.25, 0)), 0.5 + 0.75),
        (found(ONE, (0, 0, 40, 40, 1, 0)), 0),  # large
    ],
)
def test_disagreement(sliced: Detections, disagreement: float) -> None:
    told = informativeness(found(ONE), sliced)
    assert told.disagreement == pytest.approx(disagreement, abs=1e-6)
    assert informativeness(sliced, found(ONE)).disagreement == pytest.approx(disagreement, abs=1e-6)
    assert told.uncertainty == pytest.approx(QUARTER)


def test_weight_is_never_zero() -> None:
    assert Informativeness(0, 0).weight == 1
    assert Informativeness(2.5, 0.5).weight == 4
