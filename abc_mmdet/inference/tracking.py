"""Detections of a video, or of a folder of its images, as tracks: one number per object."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from abc_mmdet.errors import UserError
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample

from .detections import AnyDetections
from .sources import Source, free_name

TRACKERS = ('bytetrack', 'ocsort')
OVERLAPS = ('nwd', 'biou', 'iou')
FARTHEST = 50.0
"""Sizes of itself by which an object may be said to move."""
_LEAST = 0.1
"""How alike boxes of a track have to be; two that are :attr:`Tracking.reach` sizes apart are."""
_LONGEST = 240  # bytes of a file name, of 255
_KEPT = 30
"""Images that a track outlives without a detection, as in the paper of ByteTrack."""


@dataclass(frozen=True)
class Tracking:
    """How detections become tracks.

    Attributes:
        tracker: ``'bytetrack'`` (Zhang et al., 2022) or ``'ocsort'`` (Cao et al., 2023).
        overlaps: what pairs an object with its track: ``'nwd'``, normalised Wasserstein distance
            over the size of the boxes (Wang et al., 2022), ``'biou'``, IoU of enlarged boxes
            (C-BIoU; Yang et al., 2023), or ``'iou'``, for which an object that moves by more than
            its size is a new one in every image.
        reach: by how many of its sizes an object may have moved from one image to the next when its
            velocity is not known yet. Not for ``'iou'``.
        score_thr: a detection from here on begins a track ...
        low_thr: ... and one from here on may continue it (ByteTrack).

    Raises:
        UserError: a value that is none of these.
    """

    tracker: str = 'bytetrack'
    overlaps: str = 'nwd'
    reach: float = 3.0
    score_thr: float = 0.3
    low_thr: float = 0.1

    def __post_init__(self) -> None:
        for field, value, known in (
            ('tracker', self.tracker, TRACKERS),
            ('overlaps', self.overlaps, OVERLAPS),
        ):
            if value not in known:
                raise UserError(f'Tracking {field}={value!r}: give one of {", ".join(known)}.')
        if not 1 <= self.reach <= FARTHEST:
            raise UserError(
                f'reach={self.reach:g}: give by how many of its sizes an object may move from one '
                f'image to the next, 1 to {FARTHEST:g}.'
            )

    def build(self) -> Any:
        """A tracker of MMDetection, of :mod:`abc_mmdet.models.trackers`."""
        overlaps: dict[str, Any] = dict(type='BboxOverlaps2D')
        if self.overlaps == 'biou':
            # IoU of squares of side s is _LEAST at s * (1 - _LEAST) / (1 + _LEAST) from each other
            side = self.reach * (1 + _LEAST) / (1 - _LEAST)
            overlaps = dict(type='BufferedOverlaps2D', buffer=max(side - 1, 0) / 2)
        elif self.overlaps == 'nwd':
            scale = self.reach / -math.log(_LEAST)
            overlaps = dict(type='SizeRelativeNWDOverlaps2D', scale=scale)
        motion = dict(type='FastObjectKalmanFilter', speed=self.reach)
        if self.overlaps == 'iou':
            motion = dict(type='KalmanFilter')
        # MMDetection asks for more than a score, this package for at least; scores are float32
        begins = float(np.nextafter(np.float32(self.score_thr), np.float32(-1)))
        options = dict(init_track_thr=begins, num_frames_retain=_KEPT)
        init_default_scope('mmdet')
        if self.tracker == 'ocsort':
            return MODELS.build(
                dict(
                    type='SmallObjectOCSORTTracker',
                    overlaps=overlaps,
                    motion=motion,
                    obj_score_thr=begins,
                    match_iou_thr=_LEAST,
                    **options,
                )
            )
        return MODELS.build(
            dict(
                type='SmallObjectByteTracker',
                overlaps=overlaps,
                motion=motion,
                obj_score_thrs=dict(high=begins, low=min(self.low_thr, begins)),
                **options,
            )
        )


class SequenceTracker:
    """Gives the detections of one sequence, image by image, the numbers of their tracks::

        tracker = SequenceTracker(Tracking(reach=3.0))
        for number, image in enumerate(video):
            tracked = tracker(detector(image), number)
            print(tracked.ids, tracked.boxes)

    Args:
        tracking: how.
    """

    def __init__(self, tracking: Tracking) -> None:
        self._tracker = tracking.build()

    def __call__(self, found: AnyDetections, number: int) -> AnyDetections:
        """Those of the detections that are of a track, with its number from 1 on, best first.

        Args:
            found: of one image; those with low scores too.
            number: of the image in its sequence, from 0 on; later than those before.
        """
        sample = DetDataSample(metainfo=dict(frame_id=number))
        sample.pred_instances = InstanceData(
            bboxes=torch.from_numpy(found.boxes),
            scores=torch.from_numpy(found.scores),
            labels=torch.from_numpy(found.labels),
        )
        tracks = self._tracker.track(sample)
        order = tracks.scores.argsort(descending=True, stable=True)
        return replace(
            found,
            boxes=tracks.bboxes[order].numpy().reshape(-1, 4),
            scores=tracks.scores[order].numpy(),
            labels=tracks.labels[order].numpy(),
            ids=tracks.instances_id[order].numpy().astype(np.int64) + 1,
        )


@dataclass(frozen=True)
class Place:
    """Where an image, or the first one of a video, is.

    Attributes:
        sequence: name of the video or of the folder; no other sequence has it.
        number: of the image in it, from 0 on.
    """

    sequence: str
    number: int = 0


def in_sequences(sources: Sequence[Source]) -> dict[Source, Place]:
    """Videos, and images folder by folder in the order of time: ``9.jpg`` before ``10.jpg``.

    Returns:
        The sources in this order, and where each of them is.
    """
    folders: dict[Path, list[Source]] = {}
    for source in sources:
        folder = source.path if source.is_video else source.path.parent
        folders.setdefault(folder, []).append(source)
    places: dict[Source, Place] = {}
    taken: set[str] = set()
    for folder, members in folders.items():
        name = PurePosixPath(members[0].name)
        if not members[0].is_video:
            name = name.parent
        sequence = free_name(_short(name if name.name else folder.resolve()), taken)
        taken.add(sequence)
        members.sort(key=lambda source: _in_time(source.path.name))
        places |= {source: Place(sequence, number) for number, source in enumerate(members)}
    return places


def _short(path: PurePath) -> PurePosixPath:
    """Of a relative path all, of others the name; short enough for a suffix behind it."""
    name = os.fsencode(path.name or 'images')[:_LONGEST].decode(errors='ignore')
    return PurePosixPath(name) if path.is_absolute() else PurePosixPath(path).with_name(name)


def _in_time(name: str) -> list[tuple[int, str]]:
    """To sort by: numbers in a name as numbers."""
    parts = re.split(r'([0-9]+)', name)
    return [(int(part), '') if part.isdecimal() else (-1, part) for part in parts]
