"""Sizes on the command line."""

import argparse


def frame_size(text: str) -> tuple[int, int]:
    """``'320x192'`` as width and height; for ``type=`` of an argparse argument."""
    try:
        width, height = (int(part) for part in text.split('x'))
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form 320x192') from None
    return width, height
