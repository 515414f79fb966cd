"""Where labels stand in a crowded picture."""

from __future__ import annotations

import numpy as np

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
        frame: width and height of the picture.
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
