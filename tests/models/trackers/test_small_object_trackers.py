"""What the second sight of an object says about its velocity."""

import numpy as np
import pytest

from abc_mmdet.errors import UserError
from abc_mmdet.models.trackers import FastObjectKalmanFilter
from mmdet.models.task_modules.tracking import KalmanFilter

HEIGHT, STEP = 8.0, 20.0


def predicted(motion: KalmanFilter) -> float:
    """Where an object that moved by STEP is looked for in the third image, from the first."""
    mean, covariance = motion.initiate(np.array([0.0, 0.0, 1.0, HEIGHT]))
    mean, covariance = motion.predict(mean, covariance)
    mean, covariance = motion.update(mean, covariance, np.array([STEP, 0.0, 1.0, HEIGHT]))
    return motion.predict(mean, covariance)[0][0]


def gain(speed: float) -> float:
    """Of the velocity, from the variances of Wojke et al. in squared heights."""
    position, velocity = (2 / 20) ** 2 + (1 / 20) ** 2, speed**2
    return velocity / (position + velocity + (1 / 20) ** 2)


def test_a_step_counts_as_velocity() -> None:
    for motion, speed in ((FastObjectKalmanFilter(speed=3.0), 3.0), (KalmanFilter(), 10 / 160)):
        position = (2 / 20) ** 2 + (1 / 20) ** 2 + speed**2
        place = position / (position + (1 / 20) ** 2)
        assert predicted(motion) == pytest.approx(STEP * (place + gain(speed)), rel=1e-3)
    assert predicted(FastObjectKalmanFilter()) > 1.99 * STEP
    assert predicted(KalmanFilter()) < 1.3 * STEP


@pytest.mark.parametrize('speed', [0, -1, float('inf'), float('nan')])
def test_mistakes(speed: float) -> None:
    with pytest.raises(UserError, match='give a number above 0'):
        FastObjectKalmanFilter(speed=speed)
