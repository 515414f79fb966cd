"""Boxes with labels on an image, and where the labels stand where it is crowded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from .labels import text_plate

_GAP = 2
"""Pixels between a box and its label, for the outline."""

_MOST_HIDDEN, _MOST_OF_OWN = 0.02, 0.3
"""Shares of another object, and of its own, that a label may hide where nothing better is left."""

_FARTHEST = 3
"""Heights of a label that it may be away from its box."""


def place_labels(
    boxes: np.ndarray, sizes: np.ndarray, frame: tuple[int, int], below: np.ndarray
) -> list[tuple[int, int] | None]:
    """Places beside the objects: no label on another, and as little as possible on any object.

    The first boxes choose first.

    Args:
        boxes: ``(N, 4)`` xyxy of all objects, inside the frame.
        sizes: ``(L, 2)`` width and height of the labels of the first ``L`` of them, not larger than
            the frame.
        frame: width and height of the image.
        below: ``(N,)`` whether a label would rather be below its box than above.

    Returns:
        Left and top of each of the ``L`` labels; None for one that would cover another label, or
        more than :data:`_MOST_HIDDEN` of an object: the colour of its outline has to do.
    """
    places: list[tuple[int, int] | None] = []
    taken = np.zeros((0, 4))
    areas = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1)
    for own, (box, size, is_below) in enumerate(zip(boxes, sizes, below, strict=False)):
        corners = _candidates(box, size, bool(is_below))
        corners = np.clip(corners, 0, np.array(frame) - size).round()
        labels = np.concatenate([corners, corners + size], axis=1)
        hidden = _overlaps(labels, boxes) / areas
        allowed = np.full(len(boxes), _MOST_HIDDEN)
        allowed[own] = _MOST_OF_OWN
        is_bad = (hidden > allowed).any(1) | (_overlaps(labels, taken) > 0).any(1)
        cost = np.where(is_bad, np.inf, hidden.sum(1) + 0.001 * np.arange(len(labels)))
        others = np.delete(boxes, own, axis=0)
        order = (int(i) for i in np.argsort(cost, kind='stable')[: int((~is_bad).sum())])
        best = next((i for i in order if not _leader_crosses(labels[i], box, others)), None)
        if best is None:
            places.append(None)
            continue
        places.append((int(corners[best, 0]), int(corners[best, 1])))
        taken = np.concatenate([taken, labels[best : best + 1]])
    return places


def leader(label: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the shortest line from labels to a box, ``(..., 2)`` each."""
    near = np.clip((label[..., :2] + label[..., 2:] - 1) // 2, box[:2], box[2:])
    return np.clip(near, label[..., :2], label[..., 2:] - 1), near


def _leader_crosses(label: np.ndarray, box: np.ndarray, others: np.ndarray) -> bool:
    """Whether the line of a label would lead over another object that is not around its own."""
    start, end = leader(label, box)
    if np.abs(end - start).max() <= 2 * _GAP:
        return False
    points = start + np.linspace(0, 1, 17)[:, None] * (end - start)
    holds_box = (others[:, :2] <= box[:2]).all(1) & (others[:, 2:] >= box[2:]).all(1)
    others = others[~holds_box]
    low, high = others[:, :2] - _GAP, others[:, 2:] + _GAP
    is_on = (points[:, None] >= low) & (points[:, None] <= high)
    touches_own = (np.abs(points - end) < _GAP).all(1)
    return bool((is_on.all(2).any(1) & ~touches_own).any())


def _candidates(box: np.ndarray, size: np.ndarray, is_below: bool) -> np.ndarray:
    (x1, y1, x2, y2), (width, height) = box, size
    above, under = y1 - _GAP - height, y2 + 1 + _GAP
    left, right, ends = x1 - _GAP - width, x2 + 1 + _GAP, x2 - width + 1
    top, bottom = y1, y2 - height + 1
    rows = [(above, top), (under, bottom)]
    if is_below:
        rows.reverse()
    places = []
    for outside, beside in rows:
        places += [(x, outside) for x in (x1, ends)]
        places += [(x, beside) for x in (right, left)]
        places += [(x, outside) for x in (right, left)]
    for step in range(1, _FARTHEST + 1):
        away = step * (height + _GAP)
        for outside, _ in rows:
            y = outside + away if outside == under else outside - away
            places += [(x, y) for x in (x1, ends, right, left)]
        places += [(x, y) for x in (right + away, left - away) for y in (top, above, under)]
    inside = [y1 + _GAP, y2 - height - _GAP]
    return np.array(
        places + [(x1 + _GAP, y) for y in (inside[::-1] if is_below else inside)], float
    )


def _overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``(A, B)`` areas that boxes have in common."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.maximum(high - low, 0).prod(2)


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
