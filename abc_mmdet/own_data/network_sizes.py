"""Sizes of network, and what training and input go with them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """What a size of network goes with.

    Args:
        title: for the comment.
        longest: the longest edge of the input that is proposed.
        pixels: of a batch.
        batches: batch sizes to choose from, the largest first.
        lr: learning rate of the largest batch; with the square root of others.
        passes: how often training sees every image.
        iterations: the fewest and the most.
        workers: of a data loader.
        validations: during a training.
    """

    title: str
    longest: int
    pixels: int
    batches: tuple[int, ...]
    lr: float
    passes: int
    iterations: tuple[int, int]
    workers: int
    validations: int


NETWORKS = {
    's': Network(
        'YOLOX-s, for a GPU', 1280, 16 * 640 * 512, (16, 8, 4, 2), 2e-3, 60, (3000, 100_000), 4, 10
    ),
    'narrow': Network(
        'a narrow network, for a CPU', 640, 4 * 512 * 416, (4, 2), 1e-3, 12, (1000, 12_000), 2, 4
    ),
}
