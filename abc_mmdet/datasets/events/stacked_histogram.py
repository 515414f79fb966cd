"""The stacked histogram: how RVT shows a window of events to a network."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numba
import numpy as np

DOWNSAMPLE = ('none', 'nearest', 'sum')


@dataclass(frozen=True)
class StackedHistogram:
    """Counts of events per polarity, time bin and pixel (RVT, Gehrig and Scaramuzza, 2023).

    Args:
        bins: of equal length between the first and the last event of a window.
        window_ms: length of a window; part of the name on disk.
        count_cutoff: counts above are cut to it, 1 to 255.
        downsample: ``none``; ``nearest``: half resolution as RVT makes it, from every other row
            and column; ``sum``: half resolution in which four pixels are added up (and then cut).

    Raises:
        ValueError: a value out of range.
    """

    bins: int = 10
    window_ms: int = 50
    count_cutoff: int = 10
    downsample: str = 'sum'

    def __post_init__(self) -> None:
        if self.bins < 1 or self.window_ms < 1 or not 1 <= self.count_cutoff <= 255:
            raise ValueError('bins and window_ms are 1 or more, count_cutoff is 1 to 255')
        if self.downsample not in DOWNSAMPLE:
            raise ValueError(f'downsample is one of {DOWNSAMPLE}, not {self.downsample!r}')

    @property
    def name(self) -> str:
        """Name of the folder of such representations in RVT's layout."""
        return f'stacked_histogram_dt={self.window_ms}_nbins={self.bins}'

    @property
    def file_name(self) -> str:
        """Name of the file of such representations in RVT's layout."""
        return representation_file(self.downsample)

    def shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """``(2 * bins, H, W)`` for a sensor of this width and height; halves are rounded down."""
        width, height = size
        factor = 1 if self.downsample == 'none' else 2
        return 2 * self.bins, height // factor, width // factor

    def __call__(
        self, x: np.ndarray, y: np.ndarray, p: np.ndarray, t: np.ndarray, size: tuple[int, int]
    ) -> np.ndarray:
        """The representation of one window.

        Args:
            x, y: pixels, ``(N,)`` integers inside the sensor.
            p: polarity, 0 or 1.
            t: times in µs, not decreasing.
            size: width and height of the sensor, pixels.

        Returns:
            uint8 ``(2 * bins, H, W)``: channel ``p * bins + bin``; zeros for a window without
            events.

        Raises:
            ValueError: an event outside of the sensor or of another polarity.
        """
        channels, height, width = self.shape(size)
        counts = np.zeros((2, channels // 2, height, width), np.uint8)
        if len(t) == 0:
            return counts.reshape(channels, height, width)
        if min(x.min(), y.min(), p.min()) < 0:
            raise ValueError('an event has a negative pixel or polarity')
        if x.max() >= size[0] or y.max() >= size[1] or p.max() > 1:
            raise ValueError(f'an event is outside of {size[0]}x{size[1]} or has polarity > 1')
        _count(x, y, p, self.bin_borders(t), DOWNSAMPLE.index(self.downsample), counts,
               self.count_cutoff)  # fmt: skip
        return counts.reshape(channels, height, width)

    def bin_borders(self, t: np.ndarray) -> np.ndarray:
        """Index of the first event of each bin, and the number of events, ``(bins + 1,)``.

        RVT computes ``floor((t - t_first) / (t_last - t_first) * bins)`` for every event, in
        float32. Times do not decrease, so that the borders alone are found here, with the same
        float32 formula, by bisection.
        """
        first, last = int(t[0]), int(t[-1])
        duration = np.float32(max(last - first, 1))

        def bin_of(index: int) -> int:
            return int(np.float32(int(t[index]) - first) / duration * np.float32(self.bins))

        borders = [bisect_left(range(len(t)), b, key=bin_of) for b in range(1, self.bins)]
        return np.array([0, *borders, len(t)])


def representation_file(downsample: str) -> str:
    """Name of the HDF5 file at this resolution in RVT's layout (``sum`` is our addition)."""
    return f'event_representations{"" if downsample == "none" else f"_ds2_{downsample}"}.h5'


@numba.njit(cache=True)
def _count(x, y, p, borders, downsample, counts, cutoff):
    """Add events to ``counts`` (2, bins, H, W), up to the cutoff: the same as cutting at the end.

    ``downsample`` is an index into DOWNSAMPLE.
    """
    height, width = counts.shape[2:]
    for b in range(len(borders) - 1):
        for i in range(borders[b], borders[b + 1]):
            column, row = int(x[i]), int(y[i])
            if downsample:
                # nearest-exact interpolation by a half takes the odd rows and columns
                if downsample == 1 and not (column & 1 and row & 1):
                    continue
                column, row = column >> 1, row >> 1
                if column >= width or row >= height:  # the last of an odd number
                    continue
            if counts[p[i], b, row, column] < cutoff:
                counts[p[i], b, row, column] += 1
