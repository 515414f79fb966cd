"""The bootstrap of a variant has the matches that its metrics are computed from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.bootstrap import HEADLINE, headline_ap
from abc_mmdet.study.evaluate import TRAIN_IMAGES, MatchedObjectMetric, train_subset

from ..datasets.events.conftest import write_recording  # noqa: F401  a fixture


@pytest.mark.parametrize(
    ('protocol', 'expected'),
    [('coco', 1.0), (('coco', 'prophesee'), 1.0), ('prophesee', 0.0)],
    ids=['coco', 'both', 'prophesee'],
)
def test_matches_are_those_of_the_protocol(
    protocol: str | tuple[str, ...], expected: float
) -> None:
    """A detection that is right inside its image, and reaches 25 pixels beyond it (IoU 4 / 9)."""
    limits = dict(prophesee_min_side=5, prophesee_min_diagonal=5)
    metric = MatchedObjectMetric(protocol=protocol, iou_thrs=[0.5], **limits)
    metric.dataset_meta = dict(classes=('car',))
    sample = dict(
        img_id=0,
        ori_shape=(100, 100),
        timestamp_us=600_000,
        instances=[dict(bbox=[80, 40, 100, 60], bbox_label=0, ignore_flag=0)],
        pred_instances=dict(
            bboxes=torch.tensor([[80.0, 40, 125, 60]]),
            scores=torch.tensor([0.9]),
            labels=torch.tensor([0]),
        ),
    )
    metric.process({}, [sample])
    metrics = {name.rpartition('/')[2]: value for name, value in metric.evaluate(1).items()}
    resampled = headline_ap(metric.matches, np.ones((1, 1), int), [0], metric.max_dets)
    for name in HEADLINE:
        assert metrics[name] == pytest.approx(expected), name
        assert resampled[name] == pytest.approx(expected), name


def frame(img_id: int, recording: str | None) -> dict:
    """One car that was found."""
    box = [10.0, 10, 30, 30]
    return dict(
        img_id=img_id,
        ori_shape=(100, 100),
        timestamp_us=600_000,
        instances=[dict(bbox=box, bbox_label=0, ignore_flag=0)],
        pred_instances=dict(
            bboxes=torch.tensor([box]), scores=torch.tensor([0.9]), labels=torch.tensor([0])
        ),
        **({} if recording is None else dict(recording=recording)),
    )


@pytest.mark.parametrize(
    ('recordings', 'groups'),
    [(['b', 'a', 'b', 'c'], [0, 1, 0, 2]), ([None] * 4, None)],
    ids=['recordings', 'images'],
)
def test_frames_of_a_recording_are_one_group(recordings: list, groups: list | None) -> None:
    metric = MatchedObjectMetric()
    metric.dataset_meta = dict(classes=('car',))
    order = (2, 0, 3, 1)  # frames come in any order; groups are in that of their ids
    metric.process({}, [frame(i, recordings[i]) for i in order])
    metric.evaluate(4)
    assert metric.groups == groups


def test_frames_that_cannot_be_told_apart_are_refused() -> None:
    metric = MatchedObjectMetric()
    metric.dataset_meta = dict(classes=('car',))
    with pytest.raises(UserError, match='b has the number of one of a'):
        metric.process({}, [frame(0, 'a'), frame(0, 'b')])


def test_the_training_subset_is_of_whole_recordings(
    tmp_path: Path,
    write_recording,  # noqa: F811
) -> None:
    for i in range(9):
        write_recording(tmp_path / f'train/{i}', 60, range(60))
    clips = dict(
        type='EventSequenceDataset',
        data_root=str(tmp_path),
        data_prefix=dict(recordings='train/'),
        pipeline=[dict(type='LoadEventClip'), dict(type='PackClipInputs')],
    )
    loader = dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='RecordingSampler', shuffle=False, infinite=False),
        batch_sampler=dict(type='StreamBatchSampler'),
        dataset=clips,
    )
    config = Config(dict(train_dataloader=dict(dataset=clips), val_dataloader=loader))
    found = [
        clip
        for batch in Runner.build_dataloader(train_subset(config))
        for clip in batch['data_samples']
    ]
    frames = [sample for clip in found for sample in clip.video_data_samples]
    assert {clip.recording for clip in found} == {0, 3, 6}
    assert len(frames) == 180 >= TRAIN_IMAGES
    assert all(clip.streamed for clip in found)
