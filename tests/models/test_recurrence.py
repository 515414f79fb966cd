"""What is remembered, of whom, and when it is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.errors import UserError
from abc_mmdet.models.recurrence import State, StreamMemory, detach, join, select
from mmdet.structures import TrackDataSample

SHAPES = ((2, 4, 6), (3, 2, 3))  # C, H, W of two stages


def clip(start: int, stop: int, recording: int = 0, seed: int = 9, streamed: bool = True):
    meta = dict(recording=recording, seed=seed, start=start, stop=stop, streamed=streamed)
    return TrackDataSample(metainfo=meta)


def state_of(number: int, has_stage: tuple[bool, bool] = (True, True)) -> State:
    """State of one clip, told apart by its number; a stage without recurrence has None."""
    return tuple(
        (torch.full((1, *shape), number + 0.25), torch.full((1, *shape), number + 0.5))
        if there
        else None
        for shape, there in zip(SHAPES, has_stage, strict=True)
    )


def equal(ours: State | None, theirs: State | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return all(
        a is b is None or (torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]))
        for a, b in zip(ours, theirs, strict=True)
    )


@given(st.lists(st.one_of(st.none(), st.integers(1, 50)), max_size=6), st.booleans())
def test_joined_states_are_selected_again(numbers: list[int | None], second: bool) -> None:
    stages = (True, second)
    batch = join([None if n is None else state_of(n, stages) for n in numbers])
    if all(n is None for n in numbers):
        assert batch is None
        return
    blank = tuple(
        pair and (torch.zeros_like(pair[0]), torch.zeros_like(pair[1]))
        for pair in state_of(0, stages)
    )
    for row, number in enumerate(numbers):
        expected = blank if number is None else state_of(number, stages)
        assert equal(select(batch, [row]), expected)
    backwards = list(range(len(numbers)))[::-1]
    parts = [select(batch, [row]) for row in backwards]
    assert equal(join(parts), select(batch, backwards))


@given(st.permutations(range(4)), st.permutations(range(4)))
def test_a_clip_finds_its_state_in_any_lane(before: list[int], after: list[int]) -> None:
    memory = StreamMemory()
    memory.keep([clip(0, 3, i % 2, seed=i) for i in before], [state_of(i) for i in before])
    found = memory.recall([clip(3, 5, i % 2, seed=i) for i in after], must_know=True)
    assert all(equal(state, state_of(i)) for i, state in zip(after, found, strict=True))


def test_recordings_begin_without_memory() -> None:
    memory = StreamMemory()
    memory.keep([clip(0, 3)], [state_of(1)])
    assert memory.recall([clip(0, 3), clip(0, 3, recording=1)], must_know=True) == [None, None]


@pytest.mark.parametrize(
    'other',
    [clip(4, 6), clip(2, 6), clip(3, 6, recording=1), clip(3, 6, seed=8)],
    ids=['gap', 'overlap', 'recording', 'pass'],
)
def test_another_place_is_refused_in_evaluation(other: TrackDataSample) -> None:
    memory = StreamMemory()
    memory.keep([clip(0, 3)], [state_of(1)])
    with pytest.raises(UserError, match=f'step {other.start}.*StreamBatchSampler'):
        memory.recall([clip(3, 5), other], must_know=True)
    known, unknown = memory.recall([clip(3, 5), other], must_know=False)
    assert equal(known, state_of(1)) and unknown is None


def test_clips_on_their_own_neither_bring_nor_leave_anything() -> None:
    memory = StreamMemory()
    memory.keep([clip(0, 3, streamed=False)], [state_of(1)])
    assert memory.recall([clip(3, 5)], must_know=False) == [None]
    memory.keep([clip(0, 3)], [state_of(1)])
    assert memory.recall([clip(3, 5, streamed=False)], must_know=True) == [None]


def test_only_the_last_batch_is_kept() -> None:
    memory = StreamMemory()
    memory.keep([clip(0, 3)], [state_of(1)])
    memory.keep([clip(0, 2, recording=1)], [state_of(2)])
    with pytest.raises(UserError, match='Recording 0'):
        memory.recall([clip(3, 5)], must_know=True)


def test_a_backbone_without_memory_is_no_gap() -> None:
    memory = StreamMemory()
    memory.keep([clip(0, 3)], [None])
    assert memory.recall([clip(3, 5)], must_know=True) == [None]


def test_the_gradient_ends_at_what_is_kept() -> None:
    weight = torch.ones(1, requires_grad=True)
    live = tuple(pair and (pair[0] * weight, pair[1] * weight) for pair in state_of(1))
    assert not any(t.requires_grad for pair in detach(live) for t in pair)
    memory = StreamMemory()
    memory.keep([clip(0, 3)], [live])
    (state,) = memory.recall([clip(3, 5)], must_know=True)
    assert equal(state, state_of(1)) and not any(t.requires_grad for pair in state for t in pair)
