"""Times of labelled frames and windows against RVT's rules."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events.labels import even_windows, frame_times
from abc_mmdet.errors import UserError


@st.composite
def label_times(draw: st.DrawFn) -> list[int]:
    """Labels at 30 or 60 Hz with jitter and gaps, as far as RVT takes them."""
    hz = draw(st.sampled_from([30, 60]))
    number = draw(st.integers(20, 120))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    jitter = draw(st.sampled_from([0, 50, 800, 1500]))
    t = draw(st.integers(0, 300_000)) + np.arange(number) * (1e6 / hz)
    t = (t + rng.integers(-jitter, jitter + 1, number)).astype(np.int64)
    keep = rng.random(number) >= draw(st.sampled_from([0.0, 0.0, 0.2]))
    times = np.unique(t[keep & (t >= 0)]).tolist()
    spacing = np.median(np.diff(times)) if len(times) > 1 else 0
    if len(times) < 10 or times[-1] < 100_000 or round(1e6 / spacing) not in (30, 60):
        times = [round(i * 1e6 / hz) for i in range(number)]
    return times


@given(label_times(), st.sampled_from([50_000, 25_000, 100_000, 20_000]))
def test_30_and_60_hz(rvt_times: Callable, times: list[int], step_us: int) -> None:
    found = frame_times(np.array(times), False, step_us)
    frames, windows, steps = rvt_times(times, False, step_us)
    assert found.frames_us.tolist() == frames
    assert found.windows_us.tolist() == windows
    assert found.frame_steps.tolist() == steps
    for array in (found.frames_us, found.windows_us, found.frame_steps):
        assert array.dtype == np.int64


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=30, unique=True),
    st.integers(-2500, 2500),
    st.integers(0, 249_999),
)
def test_gen1(rvt_times: Callable, quarters: list[int], jitter: int, begin: int) -> None:
    times = sorted(
        begin + 250_000 * q + (jitter if i % 3 == 1 else 0) for i, q in enumerate(quarters)
    )
    times = [t for t in times if t > 0]
    found = frame_times(np.array(times), True)
    frames, windows, steps = rvt_times(times, True)
    assert (found.frames_us.tolist(), found.windows_us.tolist()) == (frames, windows)
    assert found.frame_steps.tolist() == steps


def test_every_third_label_of_30_hz_and_a_window_between() -> None:
    found = frame_times(np.arange(40) * 33_333, False)
    # labels at 0, 33, 66 ms come too early; 99 999 µs does, too
    assert found.frames_us[0] == 133_332
    assert (np.diff(found.frames_us) == 99_999).all()
    assert found.windows_us[:4].tolist() == [83_332, 133_332, 183_331, 233_331]
    assert found.frame_steps.tolist() == list(range(1, 2 * len(found.frames_us), 2))


def test_windows_of_gen1_are_125_ms_apart() -> None:
    found = frame_times(np.array([250_000, 500_000, 1_000_000]), True)
    assert found.windows_us.tolist() == [
        *(100_000, 150_000, 200_000, 250_000),
        *(375_000, 500_000, 625_000, 750_000, 875_000, 1_000_000),
    ]


def test_a_gap_is_filled_with_windows_and_jitter_has_a_limit() -> None:
    step = 100_000 / 3
    times = [round(200_000 + k * step) for k in range(31)]
    gap = [t for t in times if not 350_000 < t < 650_000]
    found = frame_times(np.array(gap), False)
    assert np.diff(found.windows_us).min() >= 49_900
    assert np.diff(found.windows_us).max() <= 50_100
    late = list(times)
    late[3] += 2_100  # more than 2 ms: no frame, and it does not shift the others
    found = frame_times(np.array(late), False)
    assert found.frames_us.tolist() == [times[0], *times[6::3]]


def test_rates_that_rvt_refuses_come_near_10_hz() -> None:
    for hz, expected in ((10, 10), (20, 10), (25, 12.5), (50, 10), (100, 10), (4, 4)):
        found = frame_times(np.arange(400) * 1_000_000 // hz, False)
        assert 1e6 / np.median(np.diff(found.frames_us)) == pytest.approx(expected, rel=0.01)
        spacing = np.diff(found.windows_us)
        assert spacing.min() >= 40_000 and spacing.max() <= 62_500


def test_a_single_label() -> None:
    found = frame_times(np.array([1_000, 180_000]), False)
    assert found.frames_us.tolist() == [180_000]
    assert found.windows_us.tolist() == [80_000, 130_000, 180_000]
    assert found.frame_steps.tolist() == [2]
    assert frame_times(np.array([100_000]), False).windows_us.tolist() == [100_000]


@pytest.mark.parametrize('times', [[], [0, 33_333, 99_999]])
def test_no_label_late_enough(times: list[int]) -> None:
    with pytest.raises(UserError, match='no label at or after 100 ms'):
        frame_times(np.array(times, np.int64), False)


def test_even_windows() -> None:
    assert even_windows(1_000, 151_000, 50_000).tolist() == [51_000, 101_000, 151_000]
    assert even_windows(1_000, 150_999, 50_000).tolist() == [51_000, 101_000]
    assert even_windows(1_000, 2_000, 50_000).tolist() == [51_000], 'a short one has one window'


def test_a_distance_of_frames_and_a_first_one_of_its_own() -> None:
    times = [0, 49_999, 100_001, 200_000, 222_000, 250_003]
    found = frame_times(np.array(times), False, 50_000, frame_us=50_000, first_us=40_000)
    assert found.frames_us.tolist() == [49_999, 100_001, 200_000, 250_003]
    assert found.windows_us.tolist() == [49_999, 100_001, 150_000, 200_000, 250_003]
    assert found.frame_steps.tolist() == [0, 1, 3, 4]
    halves = frame_times(np.array(times), False, 25_000, frame_us=50_000)
    assert halves.windows_us.tolist() == [
        *[25_001, 50_001, 75_001, 100_001, 125_000, 150_000, 175_000, 200_000, 225_001, 250_003]
    ]
    with pytest.raises(UserError, match='at or after 300 ms'):
        frame_times(np.array(times), False, first_us=300_000)
