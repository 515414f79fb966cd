"""Images to label next: those that tell much and are unlike each other and what is labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn.functional import normalize

from abc_mmdet.inference import Detections, Detector

from .informativeness import LEAST_SCORE, Informativeness, informativeness
from .weighted_k_center import weighted_k_center


@dataclass(frozen=True, eq=False)
class Candidate:
    """An image without labels, as the detector sees it.

    Attributes:
        path: the file.
        informativeness: what its labels would tell.
        features: ``(D,)``, what it looks like.
        found: what was found in the whole image, at scores from
            :data:`LEAST_SCORE` on.

    Examples:
        >>> examine(Path('a.jpg'), detector).informativeness.weight  # doctest: +SKIP
        4.2
    """

    path: Path
    informativeness: Informativeness
    features: np.ndarray
    found: Detections


def examine(path: Path, whole: Detector, sliced: Detector | None = None) -> Candidate:
    """Look at an image without labels.

    Args:
        path: of the image.
        whole: the detector, for whole images.
        sliced: the same for slices alone, without the whole image.

    Raises:
        UserError: a file that cannot be read.
    """
    found, vector = _look(path, whole)
    told = informativeness(found, None if sliced is None else sliced(path))
    return Candidate(path, told, vector, found.above(LEAST_SCORE))


def features(path: Path, detector: Detector) -> np.ndarray:
    """What an image looks like to the backbone of a detector: ``(D,)``.

    The mean over the image of every channel of every level, each level of length 1. Images that
    look alike, such as neighbours in a video, are close to each other.

    Raises:
        UserError: a file that cannot be read.
    """
    return _look(path, detector)[1]


def select(
    candidates: Sequence[Candidate], number: int, labelled: np.ndarray | None = None
) -> list[Candidate]:
    """Choose images to label, one by one: the largest weight times distance to what is there.

    The weight is :attr:`Informativeness.weight`, the distance that of the features to the nearest
    image that is labelled or chosen (:func:`weighted_k_center`). So a second image of one scene is
    worth little, however full it is, and nothing depends on how many are asked for: a shortlist of
    the most informative ones, among which others choose differing ones, is one scene for few
    images, and all images for many.

    Args:
        candidates: to choose from.
        number: to choose.
        labelled: ``(M, D)`` features of images with labels.

    Returns:
        In the order in which they are to be labelled, if not all of them will be.
    """
    if not candidates:
        return []
    points = np.stack([candidate.features for candidate in candidates])
    weights = np.array([candidate.informativeness.weight for candidate in candidates])
    return [candidates[i] for i in weighted_k_center(points, weights, number, labelled)]


def _look(path: Path, detector: Detector) -> tuple[Detections, np.ndarray]:
    seen: list[np.ndarray] = []

    def keep(module: Any, inputs: Any, levels: Sequence[Tensor]) -> None:
        means = [normalize(level.float().mean((2, 3)), dim=1) for level in levels]
        # Of a detector that slices by itself, an image is several
        seen.extend(np.concatenate([m.cpu().numpy() for m in means], axis=1))

    handle = detector.model.backbone.register_forward_hook(keep)
    try:
        found = detector(path)
    finally:
        handle.remove()
    return found, np.mean(seen, axis=0)
