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

    Examples:
        >>> StackedHistogram(bins=5, window_ms=20, downsample='none').name
        'stacked_histogram_dt=20_nbins=5'
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

    @property
    def factor(self) -> int:
        """Pixels of the sensor per pixel of a representation, each way."""
        return 1 if self.downsample == 'none' else 2

    def shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """``(2 * bins, H, W)`` for a sensor of this width and height; halves are rounded down."""
        width, height = size
        return 2 * self.bins, height // self.factor, width // self.factor

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
            ValueError: an event outside of the sensor or of another polarity, or columns that
                differ in length.
        """
        channels, height, width = self.shape(size)
        if not len(x) == len(y) == len(p) == len(t):
            raise ValueError(f'{len(x)} x, {len(y)} y, {len(p)} polarities and {len(t)} times')
        if len(t) == 0:
            return np.zeros((channels, height, width), np.uint8)
        counts = np.empty((2, self.bins, height * width), np.uint8)
        pair = np.uint8 if self.count_cutoff < 16 else np.uint16
        pairs = np.zeros(height * width, pair)
        downsample = DOWNSAMPLE.index(self.downsample)
        if not _count(
            x, y, p, self.bin_borders(t), size, downsample, pairs, counts, self.count_cutoff
        ):
            raise ValueError(
                f'an event is outside of {size[0]}x{size[1]} or its polarity is not 0 or 1'
            )
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
def _count(x, y, p, borders, size, downsample, pairs, counts, cutoff):
    """Fill ``counts`` (2, bins, pixels) with numbers of events, cut to the cutoff.

    The two polarities of a pixel are counted in the two halves of one small integer of ``pairs``
    (pixels,), zeros. One bin at a time, these stay in the processor's cache while events come at
    any place; ``counts`` is ten or twenty times as large and is written once, from end to end.

    ``downsample`` is an index into DOWNSAMPLE. False if an event lies outside of the sensor.
    """
    # Unsigned, negative numbers become large ones: one comparison finds them too, and numba needs
    # no code for indices that count from the end
    one, sensor_width, sensor_height = np.uint64(1), np.uint64(size[0]), np.uint64(size[1])
    halved = np.uint64(min(downsample, 1))
    width, height = sensor_width >> halved, sensor_height >> halved
    cutoff = np.uint64(cutoff)
    half = np.uint64(4 * pairs.itemsize)  # bits
    mask = (one << half) - one
    for b in range(len(borders) - 1):
        for i in range(borders[b], borders[b + 1]):
            column, row, polarity = np.uint64(x[i]), np.uint64(y[i]), np.uint64(p[i])
            if column >= sensor_width or row >= sensor_height or polarity > one:
                return False
            if downsample:
                # nearest-exact interpolation by a half takes the odd rows and columns
                if downsample == 1 and not column & row & one:
                    continue
                column, row = column >> one, row >> one
                if column >= width or row >= height:  # the last of an odd number
                    continue
            place, shift = row * width + column, polarity * half
            pair = np.uint64(pairs[place])
            # Adding 0 at the cutoff is faster than a branch that the processor foretells wrongly
            pairs[place] = pair + (np.uint64((pair >> shift & mask) < cutoff) << shift)
        for pixel in range(len(pairs)):
            counts[0, b, pixel] = pairs[pixel] & mask
            counts[1, b, pixel] = pairs[pixel] >> half
            pairs[pixel] = 0
    return True
