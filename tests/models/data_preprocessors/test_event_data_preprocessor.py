import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData

from abc_mmdet.errors import UserError
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, TrackDataSample


def clip_of(steps: int, size: tuple[int, int], labelled: tuple[int, ...]) -> dict:
    samples = []
    for step in labelled:
        sample = DetDataSample(metainfo=dict(step=step, img_shape=size))
        sample.gt_instances = InstanceData(bboxes=torch.ones(1, 4), labels=torch.tensor([3]))
        samples.append(sample)
    clip = TrackDataSample(metainfo=dict(recording=4, start=0, stop=steps, seed=1, streamed=True))
    if samples:
        clip.video_data_samples = samples
    events = torch.randint(0, 255, (steps, 20, *size), dtype=torch.uint8)
    return dict(inputs=events, data_samples=clip)


def test_clips_stay_counts_and_know_their_size() -> None:
    batch = pseudo_collate([clip_of(3, (24, 32), (0, 2)), clip_of(2, (24, 32), ())])
    done = MODELS.build(dict(type='EventDataPreprocessor'))(batch)
    for before, after in zip(batch['inputs'], done['inputs'], strict=True):
        assert after.dtype == torch.uint8 and torch.equal(before, after)
    labelled, unlabelled = done['data_samples']
    assert [sample.step for sample in labelled] == [0, 2]
    for sample in labelled:
        assert sample.batch_input_shape == sample.pad_shape == (24, 32)
        assert sample.gt_instances.labels.tolist() == [3]
    assert len(unlabelled) == 0 and (unlabelled.recording, unlabelled.stop) == (4, 2)


def test_the_whole_batch_moves_to_the_device() -> None:
    preprocessor = MODELS.build(dict(type='EventDataPreprocessor')).to('meta')
    done = preprocessor(pseudo_collate([clip_of(3, (24, 32), (1,))]))
    (events,), ((sample,),) = done['inputs'], done['data_samples']
    assert events.device.type == sample.gt_instances.bboxes.device.type == 'meta'


def test_inputs_alone_pass() -> None:
    preprocessor = MODELS.build(dict(type='EventDataPreprocessor'))
    single = torch.zeros(2, 20, 24, 32)
    assert torch.equal(preprocessor(dict(inputs=single))['inputs'], single)
    assert preprocessor(dict(inputs=single, data_samples=None))['data_samples'] is None


def test_recordings_of_different_sensors_in_one_batch_are_refused() -> None:
    batch = pseudo_collate([clip_of(1, (24, 32), ()), clip_of(1, (32, 24), ())])
    with pytest.raises(UserError, match=r'\(24, 32\), \(32, 24\)'):
        MODELS.build(dict(type='EventDataPreprocessor'))(batch)
