"""Motion of objects that are fast for their size."""

from __future__ import annotations

import numpy as np

from abc_mmdet.errors import UserError
from mmdet.models.task_modules.tracking import KalmanFilter
from mmdet.registry import TASK_UTILS


@TASK_UTILS.register_module()
class FastObjectKalmanFilter(KalmanFilter):
    """:class:`KalmanFilter` that believes a new object to be fast until it has seen it twice.

    There a new track moves by 0.06 of its height per image, give or take (Wojke et al., 2017,
    where objects are pedestrians close by), and the first displacement that is seen changes its
    velocity by a fifth of it. So an object of 8 pixels that moves by 20 is looked for 16 pixels
    off in the third image. With the uncertainty of a fast object all of it counts.

    Args:
        speed: standard deviation of the velocity of a new track, in heights per image.
        **kwargs: as in :class:`KalmanFilter`.

    Raises:
        UserError: a speed that is not positive.

    Examples:
        ``tracker=dict(motion=dict(type='FastObjectKalmanFilter', speed=3.0), ...)``
    """

    def __init__(self, speed: float = 3.0, **kwargs: bool) -> None:
        if not 0 < speed < np.inf:
            raise UserError(f'FastObjectKalmanFilter speed={speed}: give a number above 0.')
        super().__init__(**kwargs)
        self.speed = speed

    def initiate(self, measurement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean ``(8,)`` and covariance ``(8, 8)`` of a track that begins at ``x, y, a, h``."""
        mean, covariance = super().initiate(measurement)
        covariance[[4, 5], [4, 5]] = (self.speed * measurement[3]) ** 2
        return mean, covariance
