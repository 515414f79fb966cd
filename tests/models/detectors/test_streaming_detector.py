import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.runner.loops import _update_losses
from mmengine.structures import InstanceData

from abc_mmdet.errors import UserError
from abc_mmdet.models import StreamingDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, TrackDataSample

SIZE = 64  # pixels, each way


@pytest.fixture
def detector() -> StreamingDetector:
    torch.manual_seed(0)
    config = dict(
        type='StreamingDetector',
        data_preprocessor=dict(type='EventDataPreprocessor'),
        backbone=dict(
            type='MaxViTRNN',
            arch=dict(embed_dim=8, dim_head=8),
            in_channels=4,
            partition_split=1,
            out_indices=(1, 2, 3),
            layer_scale_init=0.5,
        ),
        neck=dict(type='YOLOXPAFPN', in_channels=[16, 32, 64], out_channels=8, num_csp_blocks=1),
        bbox_head=dict(type='YOLOXHead', num_classes=2, in_channels=8, feat_channels=8),
        train_cfg=dict(assigner=dict(type='FastSimOTAAssigner')),
        test_cfg=dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.65, max_num=5)),
    )
    return MODELS.build(ConfigDict(config)).eval()


def make_clip(
    events: torch.Tensor,
    start: int,
    stop: int,
    labelled: tuple[int, ...],
    recording: int = 0,
    streamed: bool = True,
) -> dict:
    """A clip of a recording ``(N, C, H, W)`` as a data set serves it; ``labelled`` of all N."""
    clip = TrackDataSample(
        metainfo=dict(recording=recording, seed=9, start=start, stop=stop, streamed=streamed)
    )
    samples = []
    for step in sorted(set(labelled) & set(range(start, stop))):
        sample = DetDataSample(
            metainfo=dict(
                img_id=100 * recording + step,
                step=step - start,
                img_shape=(SIZE, SIZE),
                ori_shape=(SIZE * 2, SIZE * 2),
                scale_factor=(0.5, 0.5),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[8.0, 8, 30, 40]]), labels=torch.tensor([1])
        )
        samples.append(sample)
    if samples:
        clip.video_data_samples = samples
    return dict(inputs=events[start:stop], data_samples=clip)


def recording(seed: int, length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 5, (length, 4, SIZE, SIZE), generator=generator, dtype=torch.uint8)


def batch_of(*clips: dict) -> dict:
    return pseudo_collate(list(clips))


def unroll(detector: StreamingDetector, *clips: dict):
    batch = detector.data_preprocessor(batch_of(*clips))
    return detector.unroll(batch['inputs'], batch['data_samples'])


def one_by_one(detector: StreamingDetector, events: torch.Tensor) -> list[tuple]:
    """Features of every step, by a plain loop over the whole recording."""
    states, features = None, []
    with torch.no_grad():
        for step in events:
            levels, states = detector.backbone(step[None].float(), states)
            features.append(levels)
    return features


def check(levels, expected: list[tuple]) -> None:
    for level, of_steps in zip(levels, zip(*expected, strict=True), strict=True):
        torch.testing.assert_close(level, torch.cat(of_steps), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_state_goes_on_from_clip_to_clip_whatever_the_lane(detector: StreamingDetector) -> None:
    a, b = recording(1, 7), recording(2, 4)
    of_a, of_b = one_by_one(detector, a), one_by_one(detector, b)
    labels = (1, 3, 6)
    levels, _ = unroll(detector, make_clip(a, 0, 3, labels), make_clip(b, 0, 2, labels, 1))
    check(levels, [of_a[1], of_b[1]])
    # places exchanged, clips of different length, and one that ends in the middle
    levels, samples = unroll(detector, make_clip(b, 2, 4, labels, 1), make_clip(a, 3, 7, labels))
    assert [s.img_id for s in samples] == [3, 103, 6]
    check(levels, [of_a[3], of_b[3], of_a[6]])


@torch.no_grad()
def test_recordings_begin_without_memory(detector: StreamingDetector) -> None:
    a, b = recording(1, 3), recording(2, 2)
    unroll(detector, make_clip(a, 0, 3, ()))
    levels, _ = unroll(detector, make_clip(b, 0, 2, (0, 1), recording=1))
    check(levels, one_by_one(detector, b))
    # a clip on its own begins without memory too, and disturbs no stream
    unroll(detector, make_clip(b, 0, 1, ()))
    levels, _ = unroll(
        detector, make_clip(b, 1, 2, (1,)), make_clip(b, 1, 2, (1,), recording=3, streamed=False)
    )
    check(levels, [one_by_one(detector, b)[1], one_by_one(detector, b[1:])[0]])


@torch.no_grad()
def test_evaluation_leaves_the_streams_of_training_alone(detector: StreamingDetector) -> None:
    a = recording(1, 4)
    detector.backbone.eval()
    detector.training = True
    unroll(detector, make_clip(a, 0, 2, ()))
    detector.training = False
    unroll(detector, make_clip(recording(2, 2), 0, 2, ()))
    detector.training = True
    levels, _ = unroll(detector, make_clip(a, 2, 4, (3,)))
    check(levels, one_by_one(detector, a)[3:])


@torch.no_grad()
def test_streams_of_training_can_be_forgotten(detector: StreamingDetector) -> None:
    events = recording(1, 4)
    fresh = one_by_one(detector, events[2:])
    detector.train()
    unroll(detector, make_clip(events, 0, 2, (1,)))
    detector.forget_streams()
    levels, _ = unroll(detector, make_clip(events, 2, 4, (3,)))
    check(levels, [fresh[1]])


def test_gradient_flows_within_a_clip_and_not_into_the_one_before(
    detector: StreamingDetector,
) -> None:
    first = recording(1, 4).float().requires_grad_()
    clip = make_clip(first, 0, 2, (1,))
    second = make_clip(first, 2, 4, (3,))
    levels, _ = unroll(detector, clip)
    (gradient,) = torch.autograd.grad(levels[0].sum(), first)
    assert gradient[0].abs().sum() > 0, 'through time'
    unroll(detector, clip)
    levels, _ = unroll(detector, second)
    (gradient,) = torch.autograd.grad(levels[0].sum(), first)
    assert gradient[2].abs().sum() > 0
    assert gradient[:2].abs().sum() == 0, 'truncated'


def test_stream_with_a_gap(detector: StreamingDetector) -> None:
    a = recording(1, 4)
    unroll(detector, make_clip(a, 0, 1, ()))
    with pytest.raises(UserError, match='StreamBatchSampler'):
        unroll(detector, make_clip(a, 2, 4, ()))
    detector.train()  # a resumed run begins in the middle
    levels, _ = unroll(detector, make_clip(a, 2, 4, (2,)))
    assert levels[0].isfinite().all()


@torch.no_grad()
def test_reset_every_step(detector: StreamingDetector) -> None:
    a = recording(1, 3)
    detector.reset_every_step = True
    levels, _ = unroll(detector, make_clip(a, 0, 2, (0, 1)))
    check(levels, [one_by_one(detector, step[None])[0] for step in a[:2]])


@pytest.mark.parametrize('labels', [(1, 2), ()], ids=['labelled', 'without a label'])
def test_every_parameter_takes_part_in_training(
    detector: StreamingDetector, labels: tuple[int, ...]
) -> None:
    detector.train()
    batch = batch_of(make_clip(recording(1, 3), 0, 3, labels), make_clip(recording(2, 2), 0, 2, ()))
    losses = detector(**detector.data_preprocessor(batch, True), mode='loss')
    total, _ = detector.parse_losses(losses)
    assert (total > 0) == bool(labels)
    total.backward()
    missing = [name for name, p in detector.named_parameters() if p.grad is None]
    assert not missing


@torch.no_grad()
def test_detections_are_in_sensor_pixels(detector: StreamingDetector) -> None:
    batch = batch_of(make_clip(recording(1, 3), 0, 3, (0, 2)))
    found = detector.test_step(batch)
    assert [sample.img_id for sample in found] == [0, 2]
    features, samples = unroll(detector, make_clip(recording(1, 3), 0, 3, (0, 2)))
    small = detector.bbox_head.predict(detector._pyramid(features), samples, rescale=False)
    for sample, boxes in zip(found, small, strict=True):
        torch.testing.assert_close(sample.pred_instances.bboxes, boxes.bboxes * 2)
    nothing = detector.test_step(batch_of(make_clip(recording(1, 3), 0, 3, ())))
    assert nothing == []
    assert _update_losses(nothing, {}) == ([], {}), 'what the loops of MMEngine do with it'


@torch.no_grad()
def test_without_recurrence(detector: StreamingDetector) -> None:
    config = dict(type='MaxViTRNN', arch=dict(embed_dim=8, dim_head=8), in_channels=4)
    detector.backbone = MODELS.build(
        dict(config, partition_split=1, out_indices=(1, 2, 3), recurrent=False)
    ).eval()
    a = recording(1, 4)
    unroll(detector, make_clip(a, 0, 2, (1,)))
    levels, _ = unroll(detector, make_clip(a, 2, 4, (3,)))
    check(levels, [detector.backbone(a[3:].float(), None)[0]])
