"""Windows of a stream, against those of a conversion and against a loop over events."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events.event_windows import EventWindows
from abc_mmdet.datasets.events.labels import even_windows
from abc_mmdet.datasets.events.readers import Columns, columns_of
from abc_mmdet.datasets.events.recording import Recording
from abc_mmdet.errors import UserError

SIZE = (26, 4)
SECOND = 1_000_000
Found = list[tuple]


def columns(times: list[int]) -> Columns:
    """Events at these times, of which each is known by its x and y; some lie outside."""
    number = np.arange(len(times))
    return Columns(number % 30, number // 30 % 5, number % 2, np.array(times, np.int64))


def pieces(events: Columns, cuts: list[int]) -> Iterator[Columns]:
    """The events in chunks that end at ``cuts``; the arrays are filled again, as drivers do."""
    borders = [0, *sorted(min(cut, len(events.t)) for cut in cuts), len(events.t)]
    buffer = [np.zeros(len(events.t), column.dtype) for column in events]
    for begin, stop in pairwise(borders):
        for place, column in zip(buffer, events, strict=True):
            place[: stop - begin] = column[begin:stop]
        yield Columns(*(place[: stop - begin] for place in buffer))


def found(windows: Iterator) -> Found:
    return [
        (w.segment, w.step, w.end_us, *(column.tolist() for column in w.events)) for w in windows
    ]


class TestAsConverted:
    @given(
        st.lists(st.integers(0, 40), min_size=1, max_size=60),
        st.integers(1, 12),
        st.integers(1, 12),
        st.lists(st.integers(0, 60), max_size=6),
    )
    def test_files_without_jumps(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        write_events: Callable,
        times: list[int],
        length: int,
        step: int,
        cuts: list[int],
    ) -> None:
        events = columns(times)
        path = tmp_path_factory.getbasetemp() / 'converted.h5'
        recording = Recording(write_events(path, events._asdict()), SIZE)
        if not ((events.x < SIZE[0]) & (events.y < SIZE[1])).any():
            return
        ends = even_windows(*recording.time_span(), step)
        expected = [tuple(c.tolist() for c in w) for w in recording.windows(ends, length)]
        windows = EventWindows(SIZE, length, step, longest_gap_us=1000)
        streamed = found(windows.of(pieces(events, cuts)))
        assert streamed == [
            (0, i, end, *window)
            for i, (end, window) in enumerate(zip(ends.tolist(), expected, strict=True))
        ]
        assert windows.num_events == len(times)
        assert windows.num_outside == recording.num_outside
        assert windows.num_in_windows == recording.num_in_windows
        assert windows.clock.corrected == recording.num_late


JUMPY = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 50 * SECOND, -40 * SECOND]), st.integers(1, 40)),
    min_size=1,
    max_size=5,
)


class TestJumps:
    @given(JUMPY, st.lists(st.integers(0, 200), max_size=8))
    def test_chunks_do_not_matter(self, jumps: list[tuple[int, int]], cuts: list[int]) -> None:
        times, now = [], 100 * SECOND
        for jump, number in jumps:
            now += jump
            for _ in range(number):
                now += 1900
                times.append(now - 2500 * (len(times) % 7 == 3))
        events = columns(times)
        whole, parts = (EventWindows(SIZE, 10_000, longest_gap_us=SECOND) for _ in range(2))
        assert found(whole.of([events])) == found(parts.of(pieces(events, cuts)))
        assert whole.clock == parts.clock
        assert (whole.num_in_windows, whole.num_outside) == (
            parts.num_in_windows,
            parts.num_outside,
        )

    def steady(self, begin: int, number: int = 300, step: int = 200) -> list[int]:
        return list(range(begin, begin + number * step, step))

    @pytest.mark.parametrize('begin', [500 * SECOND, 0], ids=['ahead', 'back'])
    def test_a_clock_that_jumps(self, begin: int) -> None:
        before, behind = self.steady(100 * SECOND), self.steady(begin)
        windows = EventWindows((30, 5), 10_000)
        streamed = found(windows.of([columns(before + behind)]))
        starts = [w[2] - 10_000 for w in streamed if w[1] == 0]
        assert starts == [before[0], begin]
        assert {w[0] for w in streamed} == {0, 1}
        assert sum(len(w[3]) for w in streamed if w[0] == 1) >= 250
        assert vars(windows.clock) == dict(corrected=0, broken=0, jumps=1)

    def test_one_wrong_time_does_no_harm(self) -> None:
        right = self.steady(100 * SECOND)
        expected = found(EventWindows((30, 5), 10_000).of([columns(right)]))
        for wrong, counts in (
            (10**12, dict(corrected=0, broken=1, jumps=0)),
            (0, dict(corrected=1, broken=0, jumps=0)),
        ):
            times = right[:]
            times[120] = wrong
            windows = EventWindows((30, 5), 10_000)
            streamed = found(windows.of([columns(times)]))
            assert [w[:3] for w in streamed] == [w[:3] for w in expected]
            assert vars(windows.clock) == counts
            lost = sum(len(w[3]) for w in expected) - sum(len(w[3]) for w in streamed)
            assert lost == counts['broken']

    def test_a_wrong_time_at_the_end_is_left_out(self) -> None:
        windows = EventWindows((30, 5), 10_000)
        assert len(found(windows.of([columns([*self.steady(0), 10**12])]))) == 5
        assert windows.clock.broken == 1

    def test_a_pause_is_empty_windows_up_to_the_longest_gap(self) -> None:
        for longest, segments, number in ((SECOND, 1, 59), (400_000, 2, 18)):
            events = columns(self.steady(0, 500) + self.steady(500_000, 500))
            windows = EventWindows((30, 5), 10_000, longest_gap_us=longest)
            streamed = found(windows.of([events]))
            assert len({w[0] for w in streamed}) == segments
            assert len(streamed) == number
            empty = [w[2] for w in streamed if not w[3]]
            # the one that ends at 500 ms has the first event behind the pause
            assert empty == (list(range(110_000, 500_000, 10_000)) if segments == 1 else [])


def test_what_is_left_over_is_counted() -> None:
    windows = EventWindows((30, 5), 100)
    assert len(found(windows.of([columns([0, 50, 100, 130, 199])]))) == 1
    assert (windows.num_events, windows.num_in_windows) == (5, 3)


def test_nothing_at_all() -> None:
    assert found(EventWindows(SIZE, 10).of([])) == []
    assert found(EventWindows(SIZE, 10).of([columns_of(([], [], [], []))])) == []
    with pytest.raises(UserError, match='length_us=0'):
        EventWindows(SIZE, 0)
