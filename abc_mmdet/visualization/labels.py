"""Labels on images: a colour for every class, a font that has the letters, a place that is free."""

from __future__ import annotations

import colorsys
import logging
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

LEAST_LUMINANCE = 0.3
"""Relative luminance (WCAG 2): seven times as bright as black, so that it is seen in the dark."""


def class_colour(label: int, number: int) -> tuple[int, int, int]:
    """Blue, green, red of a class: bright, and as far from the others as ``number`` allows."""
    red, green, blue = colorsys.hsv_to_rgb(0.08 + label / max(number, 1), 0.85, 1.0)
    while luminance((round(255 * blue), round(255 * green), round(255 * red))) < LEAST_LUMINANCE:
        red, green, blue = (value + 0.02 * (1 - value) for value in (red, green, blue))
    return round(255 * blue), round(255 * green), round(255 * red)


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance of blue, green, red, from 0 for black to 1 for white, as WCAG 2 has it."""
    linear = [
        value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4
        for value in colour
    ]
    return 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]


_USUAL = str(Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf'))
"""Comes with matplotlib, so that it is everywhere; Latin, Greek, Cyrillic, Arabic and more."""

_LIGHT = 0.2
"""Relative luminance from which on black is seen better than white."""


def readable_names(classes: Sequence[str]) -> list[str]:
    """Class names as they can be written: ``class 3`` where no font here has the letters.

    Then one line says so, and what to do, once per process.
    """
    unwritable = tuple(name for name in classes if font_for(name) is None)
    if unwritable:
        _say_once(unwritable)
    return [f'class {i}' if name in unwritable else name for i, name in enumerate(classes)]


@lru_cache
def _say_once(names: tuple[str, ...]) -> None:
    logging.getLogger('abc_mmdet').warning(
        'No font here has the letters of %s: images name such classes by number. A package such '
        'as fonts-noto-cjk, or another font that has them, mends it.',
        ', '.join(names[:5]) + (', ...' if len(names) > 5 else ''),
    )


@lru_cache(maxsize=1024)
def font_for(text: str) -> str | None:
    """File of the first font that has all letters of a text; the usual one if it does."""
    wanted = {ord(letter) for letter in text if not letter.isspace()}
    if wanted <= _letters(_USUAL):
        return _USUAL
    entries = font_manager.fontManager.ttflist
    # "Last Resort" has a sign for every letter there is, and it is the same for hundreds of them
    installed = sorted({entry.fname for entry in entries if 'LastResort' not in entry.fname})
    return next((path for path in installed if wanted <= _letters(path)), None)


@cache
def _letters(path: str) -> frozenset[int]:
    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):  # removed since, or of a kind that FreeType cannot open
        return frozenset()


@lru_cache(maxsize=64)
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


@lru_cache(maxsize=4096)
def text_plate(text: str, size: int, colour: tuple[int, int, int]) -> np.ndarray:
    """A small image of a line of text: black or white, whatever is seen better, on a colour.

    Args:
        text: letters that no font here has come out as its sign for a missing letter.
        size: of the letters, in pixels.
        colour: blue, green, red.

    Returns:
        uint8 ``(h, w, 3)``, blue, green, red.
    """
    ink = (0, 0, 0) if luminance(colour) > _LIGHT else (255, 255, 255)
    margin = max(1, size // 6) + 1
    letters = _ink(text, size)
    plate = _blend(np.pad(letters, ((1, 1), (margin, margin))), colour, ink)
    plate[[0, -1]], plate[:, [0, -1]] = ink, ink  # set off from whatever is around it
    return plate


def text_line(text: str, size: int, ink: tuple[int, int, int]) -> np.ndarray:
    """The same on white, without an edge."""
    return _blend(_ink(text, size), (255, 255, 255), ink)


def _ink(text: str, size: int) -> np.ndarray:
    """``(h, w)`` from 0 to 1."""
    font = _font(font_for(text) or _USUAL, size)
    mask = Image.new('L', (max(1, round(font.getlength(text))), sum(font.getmetrics())))
    ImageDraw.Draw(mask).text((0, 0), text, fill=255, font=font)
    return np.asarray(mask, np.float32) / 255


def _blend(
    strength: np.ndarray, paper: tuple[int, int, int], ink: tuple[int, int, int]
) -> np.ndarray:
    mixed = np.array(paper) + strength[..., None] * (np.array(ink) - np.array(paper))
    return mixed.round().astype(np.uint8)


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
