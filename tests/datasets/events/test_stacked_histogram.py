"""The stacked histogram against RVT's formula in PyTorch."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events.stacked_histogram import (
    DOWNSAMPLE,
    StackedHistogram,
    representation_file,
)

Window = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
NOTHING = (np.empty(0, 'u2'), np.empty(0, 'u2'), np.empty(0, 'u1'), np.empty(0, 'i8'))


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, tuple[int, int]]:
    """Events of one window, and the size of the sensor; pixels are often met many times."""
    size = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    until = draw(st.sampled_from([0, 3, 50_000, 1 << 40]))
    event = st.tuples(
        st.integers(0, size[0] - 1),
        st.integers(0, size[1] - 1),
        st.integers(0, 1),
        st.integers(0, until),
        st.sampled_from([1, 1, 1, 2, 7, 300]),
    )
    first = draw(st.sampled_from([0, 913_716_224]))
    rows = [row[:4] for row in draw(st.lists(event, max_size=40)) for _ in range(row[4])]
    x, y, p, t = np.array(sorted(rows, key=lambda row: row[3]), np.int64).reshape(-1, 4).T
    return (x.astype('u2'), y.astype('u2'), p.astype('u1'), t + first), size


@given(
    windows(),
    st.integers(1, 12),
    st.sampled_from([1, 10, 15, 16, 255]),
    st.sampled_from(DOWNSAMPLE),
)
def test_it_is_the_formula_of_rvt(
    rvt_histogram: Callable,
    drawn: tuple[Window, tuple[int, int]],
    bins: int,
    cutoff: int,
    downsample: str,
) -> None:
    events, size = drawn
    histogram = StackedHistogram(bins, 50, cutoff, downsample)
    ours = histogram(*events, size)
    assert ours.dtype == np.uint8
    assert ours.shape == histogram.shape(size)
    if ours.size == 0:  # half a sensor of one row or column, which PyTorch refuses
        assert downsample != 'none' and min(size) == 1
        return
    theirs = rvt_histogram(*events, size, bins, cutoff, downsample)
    np.testing.assert_array_equal(ours, theirs)


def test_borders_of_bins_round_as_rvt_does(rvt_histogram: Callable) -> None:
    """Every microsecond has an event, and borders fall on events, where float32 has to decide."""
    double_differs = False
    for bins in range(1, 41):
        for per_bin in (1, 77, 180):
            offset = np.arange(bins * per_bin + 1)
            x = np.zeros(len(offset), 'u2')
            events = x, x, x.astype('u1'), (1 << 40) + offset
            borders = StackedHistogram(bins, downsample='none').bin_borders(events[3])
            rows = rvt_histogram(*events, (1, 1), bins, cutoff=255)[:bins]
            np.testing.assert_array_equal(np.diff(borders), rows.ravel())
            in_double = (offset / offset[-1] * bins).astype(int).clip(max=bins - 1)
            double_differs |= bool((np.bincount(in_double, minlength=bins) != rows.ravel()).any())
    assert double_differs, 'so it is float32 that is tested'


def test_a_hot_pixel_does_not_start_again_at_0() -> None:
    for number in (255, 256, 257, 1000):
        column = np.ones(number, 'u2')
        events = column, column, column.astype('u1'), np.zeros(number, 'i8')
        for cutoff in (10, 255):
            full = StackedHistogram(1, 50, cutoff, 'none')(*events, (3, 2))
            assert full[1, 1, 1] == cutoff and full.sum() == cutoff


def test_what_half_resolution_keeps() -> None:
    """One event on each pixel: added up, all are there; by nearest neighbour, a quarter."""
    y, x = np.indices((6, 8)).reshape(2, -1).astype('u2')
    events = x, y, np.zeros(48, 'u1'), np.arange(48)
    sums = StackedHistogram(1, downsample='sum')(*events, (8, 6))
    nearest = StackedHistogram(1, downsample='nearest')(*events, (8, 6))
    assert sums.shape == nearest.shape == (2, 3, 4)
    assert (sums[0] == 4).all() and (nearest[0] == 1).all()
    assert not sums[1].any() and not nearest[1].any(), 'negative polarity comes first'


@pytest.mark.parametrize('downsample', DOWNSAMPLE)
def test_single_events(downsample: str) -> None:
    histogram = StackedHistogram(10, downsample=downsample)
    assert not histogram(*NOTHING, (7, 5)).any()
    one = [np.array([v], d) for v, d in ((3, 'u2'), (1, 'u2'), (1, 'u1'), (12_345, 'i8'))]
    counts = histogram(*one, (7, 5))
    place = (10, 1, 3) if downsample == 'none' else (10, 0, 1)
    assert counts[place] == 1 and counts.sum() == 1
    last_of_odd = [np.array([v], d) for v, d in ((6, 'u2'), (4, 'u2'), (1, 'u1'), (0, 'i8'))]
    assert histogram(*last_of_odd, (7, 5)).sum() == (downsample == 'none')


def test_events_that_are_refused() -> None:
    histogram = StackedHistogram()
    for x, y, p in ((4, 0, 0), (0, 3, 0), (0, 0, 2), (-1, 0, 0), (0, -1, 0), (0, 0, -1)):
        columns = [np.array([0, v], np.int64) for v in (x, y, p, 9)]
        with pytest.raises(ValueError, match='outside of 4x3'):
            histogram(*columns, (4, 3))
    column = np.zeros(3, np.int64)
    for short in range(4):
        columns = [column[: 2 if i == short else 3] for i in range(4)]
        with pytest.raises(ValueError, match='3 '):
            histogram(*columns, (4, 3))


def test_options_that_are_refused() -> None:
    for options in (
        dict(bins=0),
        dict(window_ms=0),
        dict(count_cutoff=0),
        dict(count_cutoff=256),
        dict(downsample='mean'),
    ):
        with pytest.raises(ValueError, match='|'.join(options)):
            StackedHistogram(**options)


def test_names_on_disk() -> None:
    assert StackedHistogram(5, 20).name == 'stacked_histogram_dt=20_nbins=5'
    assert StackedHistogram().file_name == 'event_representations_ds2_sum.h5'
    assert representation_file('nearest') == 'event_representations_ds2_nearest.h5'
    assert representation_file('none') == 'event_representations.h5'
