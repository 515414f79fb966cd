"""Boxes drawn on images: of detections, as MMDetection draws them too, and of slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmengine.structures import InstanceData

from mmdet.registry import VISUALIZERS
from mmdet.visualization import DetLocalVisualizer

from .labels import class_colour, leader, place_labels, readable_names, text_plate

Colour = tuple[int, int, int]
_SIDE_OF_ONE_PIXEL = 900  # of an image whose lines are one pixel wide
_LETTERS = 11  # pixels, where lines are one pixel wide


def draw_boxes(
    image: np.ndarray,
    boxes: np.ndarray,
    captions: Sequence[str],
    colours: Colour | Sequence[Colour],
    captions_below: bool | Sequence[bool] = False,
) -> None:
    """Outlines with labels beside them, in place.

    The part of a box inside the image is outlined, on the pixels of its border, with a dark line
    around it that is seen on white. Labels stand where they hide no object and no other label, with
    a line to their object if they are away from it; those without such a place are left out. Lines
    and letters grow with the image, so that they are seen when all of it is.

    Args:
        image: uint8 ``(H, W, 3)``.
        boxes: ``(N, 4)`` xyxy in pixels of the image, the most important first.
        captions: one per box; may be empty.
        colours: blue, green, red; one for all boxes or one per box.
        captions_below: whether labels would rather be below their box than above; one or one per
            box.
    """
    height, width = image.shape[:2]
    corners: np.ndarray = np.asarray(boxes, float).reshape(-1, 4)
    is_one = len(colours) == 3 and np.ndim(colours) == 1
    each: Any = [colours] * len(corners) if is_one else colours
    of_box = [_plain(colour) for colour in each]
    below = np.broadcast_to(captions_below, len(corners))
    is_seen = (corners[:, 2:] >= 0).all(1) & (corners[:, :2] < (width, height)).all(1)
    is_seen &= np.isfinite(corners).all(1)
    seen = np.flatnonzero(is_seen)
    corners = np.clip(corners[seen].round(), 0, [width - 1, height - 1] * 2).astype(int)
    line = max(1, round(max(height, width) / _SIDE_OF_ONE_PIXEL))
    written = [k for k, i in enumerate(seen) if captions[i]]
    plates = [
        text_plate(captions[i], _LETTERS * line, of_box[i])[:height, :width] for i in seen[written]
    ]
    # Those with a label choose first, and keep off all objects
    order = [*written, *(k for k in range(len(seen)) if not captions[seen[k]])]
    places = _places(corners[order], plates, (width, height), below[seen[order]])
    drawn = [(place, k) for k, place in enumerate(places) if place is not None]
    for (x, y), k in drawn:
        size = plates[k].shape[1], plates[k].shape[0]
        _draw_leader(image, corners[written[k]], (x, y), size, of_box[seen[written[k]]], line)
    for (x1, y1, x2, y2), i in reversed(list(zip(corners.tolist(), seen, strict=True))):
        cv2.rectangle(image, (x1 - line, y1 - line), (x2 + line, y2 + line), (0, 0, 0), line)
        cv2.rectangle(image, (x1, y1), (x2, y2), of_box[i], line)
    for (x, y), k in drawn:
        image[y : y + plates[k].shape[0], x : x + plates[k].shape[1]] = plates[k]


def _places(
    boxes: np.ndarray, plates: list[np.ndarray], frame: tuple[int, int], below: np.ndarray
) -> list[tuple[int, int] | None]:
    if not plates:
        return []
    sizes = np.array([(plate.shape[1], plate.shape[0]) for plate in plates])
    return place_labels(boxes, sizes, frame, below)


def _draw_leader(
    image: np.ndarray,
    box: np.ndarray,
    place: tuple[int, int],
    size: tuple[int, int],
    colour: Colour,
    line: int,
) -> None:
    """A line from a label to its box, where they do not touch."""
    start, near = leader(np.array([*place, *np.add(place, size)]), box)
    if np.abs(near - start).max() > 4 * line:
        ends = start.astype(int).tolist(), near.astype(int).tolist()
        cv2.line(image, *ends, _plain(colour), line)


def _plain(colour: Colour) -> Colour:
    blue, green, red = (int(value) for value in colour)
    return blue, green, red


def draw_detections(
    image: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray | None,
    labels: np.ndarray,
    classes: Sequence[str],
    ids: np.ndarray | None = None,
) -> np.ndarray:
    """A copy of an image with outlines, one colour per class, and class and score beside each.

    Args:
        image: uint8 ``(H, W, 3)``, blue, green, red.
        boxes: ``(N, 4)`` xyxy in pixels.
        scores: ``(N,)``; None for ground truth, which has none.
        labels: ``(N,)``.
        classes: names, by label.
        ids: ``(N,)`` numbers of tracks, which come first; None if there are none.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    image = np.ascontiguousarray(image).copy()
    names = readable_names(classes)
    labels, boxes = np.asarray(labels, int), np.asarray(boxes, float).reshape(-1, 4)
    scores = None if scores is None else np.asarray(scores)
    # The best on top of the others, and first to choose a place for its label
    order = range(len(labels)) if scores is None else np.argsort(-scores, kind='stable').tolist()
    captions = [names[labels[i]] + ('' if scores is None else f' {scores[i]:.2f}') for i in order]
    if ids is not None:
        captions = [f'#{ids[i]} {text}' for i, text in zip(order, captions, strict=True)]
    colours = [class_colour(int(labels[i]), len(classes)) for i in order]
    draw_boxes(image, boxes[list(order)], captions, colours)
    return image


@VISUALIZERS.register_module()
class DetectionVisualizer(DetLocalVisualizer):
    """:class:`DetLocalVisualizer` that draws boxes by :func:`draw_detections`.

    MMDetection's draws with matplotlib: a box that reaches beyond the image moves and shrinks the
    image itself, labels cover what they name, and letters other than Latin ones become squares.
    Masks are drawn as there.

    Examples:
        >>> config = dict(visualizer=dict(type='DetectionVisualizer', name='visualizer'))
    """

    def _draw_instances(
        self, image: np.ndarray, instances: InstanceData, classes: Any, palette: Any
    ) -> np.ndarray:
        if 'bboxes' not in instances or 'masks' in instances:
            return super()._draw_instances(image, instances, classes, palette)
        boxes = instances.bboxes
        boxes = boxes.tensor if hasattr(boxes, 'tensor') else boxes
        labels = instances.labels.numpy()
        names = classes or [f'class {i}' for i in range(int(labels.max(initial=0)) + 1)]
        drawn = draw_detections(
            image[..., ::-1],
            boxes.numpy(),
            instances.scores.numpy() if 'scores' in instances else None,
            labels,
            names,
        )
        return np.ascontiguousarray(drawn[..., ::-1])


_SLICE = (255, 200, 0)  # blue, green, red


def draw_slices(image: np.ndarray, slices: Sequence[Sequence[float]]) -> np.ndarray:
    """A copy of an image with its slices, in blue.

    Args:
        image: uint8 ``(H, W, 3)``, blue, green, red.
        slices: ``x1, y1, x2, y2`` each, in pixels of the image, ends excluded.
    """
    image = image.copy()
    for part in slices:
        x1, y1, x2, y2 = (round(side) for side in part)
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), _SLICE, 1)
    return image
