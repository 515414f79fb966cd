"""A colour for every class."""

from __future__ import annotations

import colorsys

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
