"""Merged and split windows against histograms of the events themselves, and plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events import RandomRateClip
from abc_mmdet.datasets.events.rate_transforms import merge_windows, split_windows
from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram
from abc_mmdet.errors import UserError

SIZE = (6, 4)  # width, height


def histogram(t: np.ndarray, x, y, p, start: int, stop: int, cutoff: int = 10) -> np.ndarray:
    """Of the events in [start, stop), with bins that end where the window does: RVT's go from the
    first event to the last, so there is one at each end, beyond the corner that is looked at."""
    inside = (t >= start) & (t < stop)
    columns = [np.concatenate([[0], column[inside], [0]]) for column in (x, y, p)]
    times = np.concatenate([[start], t[inside], [stop]])
    made = StackedHistogram(bins=10, window_ms=50, count_cutoff=cutoff, downsample='none')
    return made(*columns, times, SIZE)[:, 1:, 1:]


@pytest.mark.parametrize('number', [1, 2, 3, 5])
def test_merged_windows_are_those_of_the_events(number: int) -> None:
    rng = np.random.default_rng(number)
    length = 50_000
    t = np.sort(rng.integers(0, number * length, 3000))
    # apart from the borders of bins, where float32 decides
    t = t[(t % (length // 10) > 10) & (t % (length // 10) < length // 10 - 10)]
    x, y = rng.integers(1, SIZE[0], len(t)), rng.integers(1, SIZE[1], len(t))
    p = rng.integers(0, 2, len(t))
    parts = [histogram(t, x, y, p, i * length, (i + 1) * length) for i in range(number)]
    whole = histogram(t, x, y, p, 0, number * length)
    assert whole.max() == 10, 'the cutoff is reached'
    assert np.array_equal(merge_windows(np.stack(parts), 10), whole)


def test_counts_do_not_wrap_around() -> None:
    events = np.full((3, 2, 1, 1), 200, np.uint8)
    assert merge_windows(events).ravel().tolist() == [255, 255]


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 5, 10]), st.integers(1, 3))
def test_split_windows_deal_out_each_bin(seed: int, number: int, steps: int) -> None:
    events = np.random.default_rng(seed).integers(0, 11, (steps, 20, 2, 3), dtype=np.uint8)
    split = split_windows(events, number)
    expected = np.zeros((steps * number, 2, 10, 2, 3), int)
    for step, channel, y, x in np.ndindex(*events.shape):
        polarity, old = divmod(channel, 10)
        for turn in range(int(events[step, channel, y, x])):
            place = old * number + turn % number  # among the bins of all parts
            part, new = divmod(place, 10)
            expected[step * number + part, polarity, new, y, x] += 1
    assert np.array_equal(split, expected.reshape(split.shape))
    merged = np.stack([merge_windows(split[i * number :][:number]) for i in range(steps)])
    assert np.array_equal(merged, events), 'merged again they are what they were'


def a_clip(steps: int, labelled: tuple[int, ...], seed: int = 0) -> dict:
    events = np.zeros((steps, 20, 1, 1), np.uint8)
    events[:, 0, 0, 0] = np.arange(1, steps + 1)
    frames = [dict(step=step, img_id=step) for step in labelled]
    times = np.arange(1, steps + 1) * 10_000
    return dict(events=events, frames=frames, seed=seed, step_us=times)


def test_a_merged_clip_ends_where_it_ended() -> None:
    done = RandomRateClip([3], count_cutoff=None).transform(a_clip(7, (0, 2, 3, 6)))
    # the events of a step stand in its first bin: groups of steps 0 | 1 2 3 | 4 5 6
    first = [step.reshape(2, 10)[0] for step in done['events']]
    assert first[0].tolist() == [1, *[0] * 9]
    assert [int(step.sum()) for step in first] == [1, 2 + 3 + 4, 5 + 6 + 7]
    assert done['step_us'].tolist() == [10_000, 90_000, 180_000]
    assert [(f['step'], f['img_id']) for f in done['frames']] == [(0, 0), (1, 3), (2, 6)]


def test_labels_of_a_split_clip_stand_at_the_end_of_their_window() -> None:
    done = RandomRateClip([0.2]).transform(a_clip(3, (0, 2)))
    assert len(done['events']) == len(done['step_us']) == 15
    assert [(f['step'], f['img_id']) for f in done['frames']] == [(4, 0), (14, 2)]
    assert done['step_us'].tolist() == [2000] * 5 + [4000] * 5 + [6000] * 5


def test_all_clips_of_a_pass_have_one_rate_and_passes_differ() -> None:
    transform = RandomRateClip((0.5, 1, 2))
    lengths = {}
    for seed in range(40):
        found = {len(transform.transform(a_clip(4, (), seed))['events']) for _ in range(3)}
        (lengths[seed],) = found
    assert set(lengths.values()) == {8, 4, 2}


def test_a_rate_of_one_changes_nothing() -> None:
    clip = a_clip(3, (1,))
    done = RandomRateClip([1]).transform(dict(clip))
    assert all(done[key] is clip[key] for key in clip)


@pytest.mark.parametrize('factors', [[], [0], [-1], [1.5], [0.3], [float('nan')]], ids=str)
def test_other_factors_are_refused(factors: list) -> None:
    with pytest.raises(UserError, match='RandomRateClip factors='):
        RandomRateClip(factors)


def test_bins_that_cannot_be_divided() -> None:
    with pytest.raises(UserError, match='windows of 10 bins cannot be split in 3'):
        RandomRateClip([1 / 3]).transform(a_clip(2, ()))
