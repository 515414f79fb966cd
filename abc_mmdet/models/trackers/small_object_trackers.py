"""MMDetection's trackers for objects that leave their own box from one image to the next."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.errors import UserError
from mmdet.models.task_modules.tracking import KalmanFilter
from mmdet.models.trackers import ByteTracker, OCSORTTracker
from mmdet.models.trackers.base_tracker import BaseTracker
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_cxcyah_to_xyxy

from .assignment import lapjv, offer_to_mmdet


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


OTHER_CLASS = 1e6
"""Cost of a track and a detection of different classes, as in MMDetection."""

Pairs = tuple[np.ndarray, np.ndarray]
"""The detection of each track, and the track of each detection; -1 for none."""


class _Associating(BaseTracker):
    """What both trackers have in common: association by any overlap that MMDetection builds."""

    overlaps: Any
    motion: Any
    tracks: dict

    def track(self, data_sample: DetDataSample, **kwargs: Any) -> InstanceData:
        """As MMDetection's; tracks also move on in images without detections."""
        if not self.empty and not len(data_sample.pred_instances):
            self._skip_image(data_sample.metainfo.get('frame_id', -1))
        return super().track(data_sample, **kwargs)

    def _build(self, overlaps: dict | None) -> None:
        offer_to_mmdet()
        self.overlaps = TASK_UTILS.build(overlaps or dict(type='SizeRelativeNWDOverlaps2D'))

    def _predicted(self, ids: list[int], like: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes ``(M, 4)`` where the tracks should be now, and their labels ``(M,)``."""
        means = np.array([self.tracks[id].mean[:4] for id in ids]).reshape(-1, 4)
        labels = [int(self.tracks[id]['labels'][-1]) for id in ids]
        boxes = torch.from_numpy(means).to(like)
        return bbox_cxcyah_to_xyxy(boxes), torch.tensor(labels, dtype=torch.long)

    def _costs(
        self,
        boxes: Tensor,
        labels: Tensor,
        det_bboxes: Tensor,
        det_labels: Tensor,
        weights: Tensor | None,
    ) -> np.ndarray:
        """``(M, N)``: 1 minus how alike a track and a detection are."""
        alike = self.overlaps(boxes, det_bboxes)
        alike = alike if weights is None else alike * weights
        is_other = labels[:, None] != det_labels[None].cpu()
        return (1 - alike.cpu() + OTHER_CLASS * is_other).double().numpy()

    def _skip_image(self, frame_id: int) -> None:
        """Tracks go on where nothing was detected; MMDetection leaves them where they are then."""
        for track in self.tracks.values():
            if not track.tentative:
                if track.frame_ids[-1] != frame_id - 1:
                    track.mean[7] = 0
                track.mean, track.covariance = self.motion.predict(track.mean, track.covariance)


@MODELS.register_module()
class SmallObjectByteTracker(_Associating, ByteTracker):
    """ByteTrack (Zhang et al., 2022) that pairs tracks and detections by other overlaps than IoU.

    An object of 8 pixels that moves by 9 from one image to the next has an IoU of 0 with itself,
    and ByteTrack begins a new track in every image. Scores do not count in the association, as
    they do in :class:`ByteTracker`: those of small objects are low.

    Args:
        overlaps: config of what ``TASK_UTILS`` builds; default: normalised Wasserstein distance
            over the size of the boxes. ``BufferedOverlaps2D`` is that of C-BIoU,
            ``BboxOverlaps2D`` plain IoU.
        motion: config of the Kalman filter; default: that of fast objects.
        weight_iou_with_det_scores: as in :class:`ByteTracker`.
        match_iou_thrs: how alike two boxes have to be.
        **kwargs: as in :class:`ByteTracker`.

    Examples:
        ``tracker=dict(type='SmallObjectByteTracker', overlaps=dict(type='BufferedOverlaps2D'))``
        in a config of MMDetection's ``ByteTrack``.
    """

    def __init__(
        self,
        overlaps: dict | None = None,
        motion: dict | None = None,
        weight_iou_with_det_scores: bool = False,
        match_iou_thrs: dict = dict(high=0.1, low=0.5, tentative=0.1),  # noqa: B006
        **kwargs: Any,
    ) -> None:
        self._build(overlaps)
        super().__init__(
            motion=motion or dict(type='FastObjectKalmanFilter'),
            weight_iou_with_det_scores=weight_iou_with_det_scores,
            match_iou_thrs=match_iou_thrs,
            **kwargs,
        )

    def assign_ids(
        self,
        ids: list[int],
        det_bboxes: Tensor,
        det_labels: Tensor,
        det_scores: Tensor,
        weight_iou_with_det_scores: bool | None = False,
        match_iou_thr: float | None = 0.5,
    ) -> Pairs:
        """As :meth:`ByteTracker.assign_ids`, with :attr:`overlaps` for IoU."""
        weights = det_scores if weight_iou_with_det_scores else None
        where = self._predicted(ids, det_bboxes)
        costs = self._costs(*where, det_bboxes, det_labels, weights)
        return lapjv(costs, cost_limit=1 - (match_iou_thr or 0))[1:]


@MODELS.register_module()
class SmallObjectOCSORTTracker(_Associating, OCSORTTracker):
    """OC-SORT (Cao et al., 2023) that pairs tracks and detections by other overlaps than IoU.

    Args:
        overlaps, motion, weight_iou_with_det_scores: as in :class:`SmallObjectByteTracker`.
        match_iou_thr: how alike two boxes have to be.
        **kwargs: as in :class:`OCSORTTracker`.
    """

    def __init__(
        self,
        overlaps: dict | None = None,
        motion: dict | None = None,
        weight_iou_with_det_scores: bool = False,
        match_iou_thr: float = 0.1,
        **kwargs: Any,
    ) -> None:
        self._build(overlaps)
        super().__init__(
            motion=motion or dict(type='FastObjectKalmanFilter'),
            weight_iou_with_det_scores=weight_iou_with_det_scores,
            match_iou_thr=match_iou_thr,
            **kwargs,
        )

    def ocm_assign_ids(
        self,
        ids: list[int],
        det_bboxes: Tensor,
        det_labels: Tensor,
        det_scores: Tensor,
        weight_iou_with_det_scores: bool | None = False,
        match_iou_thr: float | None = 0.5,
    ) -> Pairs:
        """As :meth:`OCSORTTracker.ocm_assign_ids`, with :attr:`overlaps` for IoU."""
        weights = det_scores if weight_iou_with_det_scores else None
        where = self._predicted(ids, det_bboxes)
        costs = self._costs(*where, det_bboxes, det_labels, weights)
        if costs.size:
            costs += self.vel_consist_weight * self._turns(ids, det_bboxes)
        return lapjv(costs, cost_limit=1 - (match_iou_thr or 0))[1:]

    def _turns(self, ids: list[int], det_bboxes: Tensor) -> np.ndarray:
        """``(M, N)`` from -0.5, straight on, to 0.5, back; 0 for a track without a direction."""
        moves = torch.stack([self.tracks[id].velocity for id in ids]).float()
        before = torch.stack([self.k_step_observation(self.tracks[id]) for id in ids])
        is_known = (moves.sum(1) != -2) & (before.sum(1) != -4)
        towards = self.vel_direction_batch(before, det_bboxes)
        cosines = (towards * moves[:, None]).sum(-1).clamp(-1, 1)
        turns = torch.acos(cosines) / torch.pi - 0.5
        return (turns * is_known[:, None]).double().numpy()

    def ocr_assign_ids(
        self,
        track_obs: Tensor,
        last_track_labels: Tensor,
        det_bboxes: Tensor,
        det_labels: Tensor,
        det_scores: Tensor,
        weight_iou_with_det_scores: bool | None = False,
        match_iou_thr: float | None = 0.5,
    ) -> Pairs:
        """As :meth:`OCSORTTracker.ocr_assign_ids`, with :attr:`overlaps` for IoU."""
        weights = det_scores if weight_iou_with_det_scores else None
        costs = self._costs(track_obs, last_track_labels.cpu(), det_bboxes, det_labels, weights)
        return lapjv(costs, cost_limit=1 - (match_iou_thr or 0))[1:]
