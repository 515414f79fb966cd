"""Clips at another rate than they were stored at: windows merged or split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from abc_mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

from .clip_transforms import check_clip


@TRANSFORMS.register_module()
class RandomRateClip(BaseTransform):
    """Training at several rates: windows of a clip are merged or split, all of a pass alike.

    A network that has seen steps of 50 ms alone does worse at others. Here stored representations
    become those of longer windows (neighbours added up bin by bin, and cut to ``count_cutoff``,
    which is exact where the bins follow each other in time) or of shorter ones (a window divided
    at the borders of its bins, of which each is dealt out over the bins of the shorter window).
    No event is lost or counted twice, if windows follow each other without overlap.

    Merged windows end where the clip ends, so the first may be of fewer. Labels stay where a new
    window ends; those inside of one are left out. ``step_us`` goes along, for
    ``StreamingDetector(step_ms=...)``. It is for training: test at another rate on recordings
    that were converted with other windows.

    Args:
        factors: lengths of a new window in stored ones, of which one is drawn for each pass: whole
            numbers, or 1 / n where n divides the number of bins.
        count_cutoff: largest count, that of the conversion.

    Raises:
        UserError: other factors, or bins that cannot be divided.

    Examples:
        >>> clip = dict(events=np.ones((5, 20, 2, 2), np.uint8), frames=[], seed=0, streamed=True)
        >>> merged = RandomRateClip(factors=[2]).transform(dict(clip))['events']
        >>> merged[:, 0, 0, 0].tolist()
        [1, 2, 2]
        >>> RandomRateClip(factors=[0.5]).transform(dict(clip))['events'].shape
        (10, 20, 2, 2)
    """

    def __init__(
        self, factors: Sequence[float] = (0.5, 1, 2), count_cutoff: int | None = 10
    ) -> None:
        self.factors = tuple(factors)
        if not self.factors or not all(_is_whole(f) or _is_whole(_inverse(f)) for f in factors):
            raise UserError(
                f'RandomRateClip factors={self.factors}: give whole numbers to merge windows and '
                'parts of one, as 0.5 or 0.2, to split them.'
            )
        self.count_cutoff = count_cutoff

    def transform(self, results: dict) -> dict:
        check_clip(results, 'events')
        # a stream of its own, so that it does not depend on what other transforms drew
        rng = np.random.default_rng((results['seed'], 2))
        factor = self.factors[rng.integers(len(self.factors))]
        if factor > 1:
            self._merge(results, round(factor))
        elif factor < 1:
            self._split(results, round(1 / factor))
        return results

    def _merge(self, results: dict, number: int) -> None:
        count = len(results['events'])
        ends = list(range(count, 0, -number))[::-1]
        starts = [0, *ends[:-1]]
        groups = list(zip(starts, ends, strict=True))
        results['events'] = np.stack(
            [merge_windows(results['events'][a:b], self.count_cutoff) for a, b in groups]
        )
        if 'step_us' in results:
            results['step_us'] = np.array([results['step_us'][a:b].sum() for a, b in groups])
        new_step = {end - 1: step for step, end in enumerate(ends)}
        kept = [frame for frame in results['frames'] if frame['step'] in new_step]
        results['frames'] = [dict(frame, step=new_step[frame['step']]) for frame in kept]

    def _split(self, results: dict, number: int) -> None:
        results['events'] = split_windows(results['events'], number)
        if 'step_us' in results:
            results['step_us'] = np.repeat(results['step_us'] / number, number)
        results['frames'] = [
            dict(frame, step=(frame['step'] + 1) * number - 1) for frame in results['frames']
        ]


def merge_windows(events: np.ndarray, count_cutoff: int | None = None) -> np.ndarray:
    """The representation of windows that follow each other as of a single one.

    Args:
        events: ``(T, 2 * bins, H, W)`` counts.
        count_cutoff: largest count.

    Returns:
        ``(2 * bins, H, W)``, of the same type, in which counts stay below its largest number.
    """
    number, channels, *size = events.shape
    by_time = events.reshape(number, 2, channels // 2, *size).swapaxes(0, 1)
    merged = by_time.reshape(2, channels // 2, number, *size).sum(axis=2, dtype=np.int64)
    largest = np.iinfo(events.dtype).max if count_cutoff is None else count_cutoff
    return np.minimum(merged, largest).astype(events.dtype).reshape(channels, *size)


def split_windows(events: np.ndarray, number: int) -> np.ndarray:
    """Representations of parts of each window, with as many bins as the whole.

    Args:
        events: ``(T, 2 * bins, H, W)`` counts.
        number: parts of a window; divides the bins.

    Returns:
        ``(T * number, 2 * bins, H, W)``. Counts of a bin are dealt out over ``number`` bins, the
        earlier ones first.

    Raises:
        UserError: bins that cannot be divided so.
    """
    count, channels, *size = events.shape
    bins = channels // 2
    if bins % number:
        raise UserError(
            f'RandomRateClip factors: windows of {bins} bins cannot be split in {number}; give '
            'factors of 1 / n where n divides the bins.'
        )
    parts = events.reshape(count, 2, number, bins // number, 1, *size).swapaxes(1, 2)
    turn = np.arange(number).reshape(-1, *[1] * len(size))
    dealt = (parts.astype(np.int64) + (number - 1 - turn)) // number
    return dealt.astype(events.dtype).reshape(count * number, channels, *size)


def _inverse(factor: float) -> float:
    return 1 / factor if factor > 0 else 0.0


def _is_whole(number: float) -> bool:
    return number >= 1 and abs(number - round(number)) < 1e-6
