from itertools import islice, pairwise
from unittest.mock import patch

import pytest

from abc_mmdet.datasets.events import EventSequenceDataset, RecordingSampler, StreamBatchSampler
from abc_mmdet.errors import UserError

LENGTHS = (7, 12, 3, 9, 5)


@pytest.fixture
def dataset(tmp_path, write_recording) -> EventSequenceDataset:
    for i, length in enumerate(LENGTHS):
        write_recording(tmp_path / f'train/{i}', length, range(1, length, 2), seed=i)
    return EventSequenceDataset(
        data_root=str(tmp_path), data_prefix=dict(recordings='train/'), clip_length=3
    )


def test_lanes_stream_each_recording_once_and_in_order(dataset: EventSequenceDataset) -> None:
    for batch_size in (1, 2, 5, 8):
        sampler = RecordingSampler(dataset, seed=0, shuffle=False, infinite=False)
        batches = list(StreamBatchSampler(sampler, batch_size))
        assert len(batches) == len(StreamBatchSampler(sampler, batch_size))
        served = {i: [] for i in range(len(LENGTHS))}
        for number, batch in enumerate(batches):
            assert len({clip.recording for clip in batch}) == len(batch) <= batch_size
            for clip in batch:
                assert clip.streamed
                steps = served[clip.recording]
                if steps:
                    assert steps[-1][1] == number - 1, 'goes on in the very next batch'
                assert clip.start == (steps[-1][0] if steps else 0)
                steps.append((clip.stop, number))
        assert [steps[-1][0] for steps in served.values()] == list(LENGTHS)


def test_training_mixes_streams_and_random_clips(dataset: EventSequenceDataset) -> None:
    sampler = RecordingSampler(dataset, seed=3)
    batches = list(islice(StreamBatchSampler(sampler, 4, random_share=0.5), 200))
    assert all([clip.streamed for clip in batch] == [True, True, False, False] for batch in batches)
    for lane in (0, 1):
        stream = [batch[lane] for batch in batches]
        for before, clip in pairwise(stream):
            if clip.start == 0:
                assert before.stop == LENGTHS[before.recording]
                assert clip.seed != before.seed
            else:
                assert before[0:1] + before[2:4] == clip[0:2] + clip[3:4], 'recording, place, seed'
        assert {clip.recording for clip in stream} == set(range(len(LENGTHS)))
    random = [clip for batch in batches for clip in batch[2:]]
    assert all((clip.stop - 1) % 2 == 1 for clip in random), 'each ends at a label'
    assert len({(clip.recording, clip.stop) for clip in random}) == sum(n // 2 for n in LENGTHS)
    again = list(islice(StreamBatchSampler(RecordingSampler(dataset, seed=3), 4, 0.5), 200))
    assert again == batches


def test_processes_have_their_own_recordings(dataset: EventSequenceDataset) -> None:
    used = []
    for rank in range(2):
        with patch('abc_mmdet.datasets.events.stream_sampler.get_dist_info', lambda r=rank: (r, 2)):
            sampler = RecordingSampler(dataset, seed=1)
        batches = islice(StreamBatchSampler(sampler, 2, random_share=0.5), 300)
        used.append({clip.recording for batch in batches for clip in batch})
    assert used[0] & used[1] == set()
    assert used[0] | used[1] == set(range(len(LENGTHS)))


@pytest.mark.parametrize('batch_size', [1, 2])
def test_small_batches_keep_a_lane(dataset: EventSequenceDataset, batch_size: int) -> None:
    batch = next(iter(StreamBatchSampler(RecordingSampler(dataset, seed=0), batch_size, 0.9)))
    assert [clip.streamed for clip in batch] == [True, False][:batch_size]


def test_mistakes(dataset: EventSequenceDataset) -> None:
    sampler = RecordingSampler(dataset, seed=0)
    with pytest.raises(UserError, match='less than 1'):
        StreamBatchSampler(sampler, 2, random_share=1.0)
    with pytest.raises(UserError, match='RecordingSampler'):
        StreamBatchSampler(range(3), 2)
    with pytest.raises(UserError, match='EventSequenceDataset'):
        RecordingSampler([1, 2, 3])
    with (
        patch('abc_mmdet.datasets.events.stream_sampler.get_dist_info', lambda: (0, 8)),
        pytest.raises(UserError, match='5 recordings'),
    ):
        RecordingSampler(dataset, seed=0)


def test_some_of_the_recordings(dataset: EventSequenceDataset) -> None:
    sampler = RecordingSampler(dataset, shuffle=False, infinite=False, recordings=(1, 4))
    clips = [clip for batch in StreamBatchSampler(sampler, 2) for clip in batch]
    assert {clip.recording for clip in clips} == {1, 4}
    assert sum(clip.stop - clip.start for clip in clips) == LENGTHS[1] + LENGTHS[4]
