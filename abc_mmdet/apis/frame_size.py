"""Sizes on the command line."""

import argparse

MOST = 2**20
"""Pixels of a side, as in OpenCV."""


def frame_size(text: str) -> tuple[int, int]:
    """``'320x192'`` as width and height, ``'320'`` for both; ``type=`` of an argparse argument."""
    try:
        width, height = (int(part) for part in (text.split('x') if 'x' in text else (text, text)))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text[:40]!r} is not of the form 320x192, or 320 for a square'
        ) from None
    if max(abs(width), abs(height)) > MOST:
        raise argparse.ArgumentTypeError(f'{text[:40]}: sides are up to {MOST} pixels')
    return width, height
