"""What a sampler asks an :class:`EventSequenceDataset` for."""

from __future__ import annotations

from typing import NamedTuple


class Clip(NamedTuple):
    """Consecutive representations of one recording.

    Args:
        recording: index of the recording in the data set.
        start, stop: steps, ``stop`` excluded.
        seed: what augmentation is drawn from. The clips of one pass through a recording share it,
            so that a stream is flipped as a whole; together with the recording it names the pass.
        streamed: whether the clip goes on where the one before it ended. A clip on its own begins
            without memory and leaves none.
    """

    recording: int
    start: int
    stop: int
    seed: int
    streamed: bool


def tile(num_steps: int, length: int, ends: set[int]) -> list[tuple[int, int]]:
    """Cut ``num_steps`` steps into ranges of at most ``length``, and after each step in ``ends``.

    >>> tile(7, 3, set())
    [(0, 3), (3, 6), (6, 7)]
    >>> tile(7, 3, {1, 3})
    [(0, 2), (2, 4), (4, 7)]
    """
    ranges, start = [], 0
    for step in range(num_steps):
        if step + 1 - start == length or step in ends or step + 1 == num_steps:
            ranges.append((start, step + 1))
            start = step + 1
    return ranges
