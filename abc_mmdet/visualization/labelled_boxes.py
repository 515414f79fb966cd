"""Boxes with labels on a picture; all pictures of this package have theirs from here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from .label_places import leader, place_labels
from .label_text import text_plate

Colour = tuple[int, int, int]
_SIDE_OF_ONE_PIXEL = 900  # of a picture whose lines are one pixel wide
_LETTERS = 11  # pixels, where lines are one pixel wide


def draw_boxes(
    picture: np.ndarray,
    boxes: np.ndarray,
    captions: Sequence[str],
    colours: Colour | Sequence[Colour],
    captions_below: bool | Sequence[bool] = False,
) -> None:
    """Outlines with labels beside them, in place.

    The part of a box inside the picture is outlined, on the pixels of its border, with a dark line
    around it that is seen on white. Labels stand where they hide no object and no other label, with
    a line to their object if they are away from it; those without such a place are left out. Lines
    and letters grow with the picture, so that they are seen when all of it is.

    Args:
        picture: uint8 ``(H, W, 3)``.
        boxes: ``(N, 4)`` xyxy in pixels of the picture, the most important first.
        captions: one per box; may be empty.
        colours: blue, green, red; one for all boxes or one per box.
        captions_below: whether labels would rather be below their box than above; one or one per
            box.
    """
    height, width = picture.shape[:2]
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
        _draw_leader(picture, corners[written[k]], (x, y), size, of_box[seen[written[k]]], line)
    for (x1, y1, x2, y2), i in reversed(list(zip(corners.tolist(), seen, strict=True))):
        cv2.rectangle(picture, (x1 - line, y1 - line), (x2 + line, y2 + line), (0, 0, 0), line)
        cv2.rectangle(picture, (x1, y1), (x2, y2), of_box[i], line)
    for (x, y), k in drawn:
        picture[y : y + plates[k].shape[0], x : x + plates[k].shape[1]] = plates[k]


def _places(
    boxes: np.ndarray, plates: list[np.ndarray], frame: tuple[int, int], below: np.ndarray
) -> list[tuple[int, int] | None]:
    if not plates:
        return []
    sizes = np.array([(plate.shape[1], plate.shape[0]) for plate in plates])
    return place_labels(boxes, sizes, frame, below)


def _draw_leader(
    picture: np.ndarray,
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
        cv2.line(picture, *ends, _plain(colour), line)


def _plain(colour: Colour) -> Colour:
    blue, green, red = (int(value) for value in colour)
    return blue, green, red
