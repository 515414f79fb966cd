"""Which labels become labelled frames, and where the windows of events end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abc_mmdet.errors import UserError

FIRST_US = 100_000
"""Labels before this are left out: too few events precede them."""

LONGEST_US = 24 * 3600 * 1_000_000
"""Longest recording; times beyond are a mistake, such as nanoseconds, and windows without end."""

_FRAME_STEP_US = 100_000
_JITTER_US = 2_000
_GEN1_INTERVAL_US = 250_000  # its labels come at 1, 2 or 4 Hz


@dataclass(frozen=True)
class FrameTimes:
    """Times of a recording, all in µs.

    Args:
        frames_us: of the labelled frames, ``(F,)``.
        windows_us: ends of the windows of events, ``(N,)``; every frame is one of them.
        frame_steps: index of each frame's window, ``(F,)``.
    """

    frames_us: np.ndarray
    windows_us: np.ndarray
    frame_steps: np.ndarray


def frame_times(labels_us: np.ndarray, is_gen1: bool, step_us: int = 50_000) -> FrameTimes:
    """What RVT makes of the times of labels: frames at about 10 Hz, windows between them.

    The first label at or after 100 ms is a frame, and from there on every label that is a multiple
    of the interval away, within 2 ms. The interval is every third label at 30 Hz, every sixth at
    60 Hz, and 250 ms on Gen1. (RVT refuses other rates; here as many labels are skipped as come
    nearest to 10 Hz.) Windows divide the time between two frames evenly.

    Args:
        labels_us: distinct times of labels, increasing.
        is_gen1: whether the labels are those of Gen1.
        step_us: distance of two windows; a divisor of 100 ms.

    Raises:
        UserError: no label at or after 100 ms.
    """
    times = np.asarray(labels_us, np.int64)
    start = int(np.searchsorted(times, FIRST_US, side='left'))
    if start == len(times):
        raise UserError('there is no label at or after 100 ms.')
    interval, per_interval = _interval(times, is_gen1, step_us)
    frames, windows_between = [int(times[start])], []
    for time in times[start + 1 :].tolist():
        count = round((time - frames[-1]) / interval)
        if count > 0 and abs(time - frames[-1] - count * interval) <= _JITTER_US:
            frames.append(time)
            windows_between.append(count * per_interval)
    # RVT leaves out the first window before the first frame, which may reach back before time 0
    lead_in = range(frames[0], 0, -step_us)[::-1][1:-1]
    windows = [np.array(lead_in, np.int64)]
    for begin, end, number in zip(frames[:-1], frames[1:], windows_between, strict=True):
        windows.append(np.linspace(begin, end, number + 1).astype(np.int64)[:-1])
    windows.append(np.array(frames[-1:]))
    windows_us, frames_us = np.concatenate(windows), np.array(frames, np.int64)
    return FrameTimes(frames_us, windows_us, np.searchsorted(windows_us, frames_us))


def _interval(times: np.ndarray, is_gen1: bool, step_us: int) -> tuple[int, int]:
    """Distance of frames that is aimed at, µs, and the number of windows in it."""
    if is_gen1:
        return _GEN1_INTERVAL_US, _FRAME_STEP_US // step_us
    if len(times) < 2:
        return _FRAME_STEP_US, _FRAME_STEP_US // step_us
    median = float(np.median(np.diff(times)))
    rate = round(1e6 / median)
    if rate in (30, 60):
        return int((rate // 10) * median), _FRAME_STEP_US // step_us
    interval = int(max(1, round(_FRAME_STEP_US / median)) * median)
    return interval, max(1, round(interval / step_us))


def even_windows(first_us: int, last_us: int, step_us: int) -> np.ndarray:
    """Ends of windows every ``step_us`` through a recording without labels."""
    return np.arange(first_us + step_us, max(last_us, first_us + step_us) + 1, step_us)
