"""Intervals of validations and checkpoints that leave no short one before the end of a run."""

from __future__ import annotations


def is_even(interval: int, length: int) -> bool:
    """Whether what comes every ``interval`` iterations, and at the end, never comes twice at once.

    The last part of the run is the whole interval, or at least half of it.
    """
    rest = length % interval
    return interval >= length or rest == 0 or 2 * rest >= interval


def even_interval(interval: int, length: int) -> int:
    """The shortest interval from this one on that :func:`is_even`.

    MMEngine validates and saves at the last iteration as well: every 50 of 2451 iterations would
    be at 2450 and at 2451, and those two would be the checkpoints that are kept.

    Example:
        >>> even_interval(50, 2500), even_interval(50, 2451)
        (50, 55)
    """
    while not is_even(interval, length):
        interval += 1
    return interval
