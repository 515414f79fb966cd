from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events.clip import tile


@given(st.integers(0, 60), st.integers(1, 12), st.sets(st.integers(0, 80)))
def test_ranges_cover_every_step_once_and_end_where_asked(
    num_steps: int, length: int, ends: set[int]
) -> None:
    ranges = tile(num_steps, length, ends)
    assert [step for start, stop in ranges for step in range(start, stop)] == [*range(num_steps)]
    assert all(1 <= stop - start <= length for start, stop in ranges)
    for start, stop in ranges:
        assert not ends & set(range(start, stop - 1)), 'such a step is the last of its range'
    for (start, stop), _ in pairwise(ranges):
        assert stop - start == length or stop - 1 in ends, 'none is shorter than it has to be'
