"""A detector of images that remembers: YOLOX and RTMDet with a ConvLSTMAdapter, streamed."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from torch import nn

from abc_mmdet.errors import UserError
from abc_mmdet.models import StreamingDetector
from mmdet.registry import MODELS

from .test_streaming_detector import SIZE, batch_of, make_clip, recording

CHANNELS = [16, 32, 64]
YOLOX = dict(
    backbone=dict(
        type='CSPDarknet', deepen_factor=0.33, widen_factor=0.0625, out_indices=(2, 3, 4)
    ),
    neck=dict(type='YOLOXPAFPN', in_channels=CHANNELS, out_channels=8, num_csp_blocks=1),
    bbox_head=dict(type='YOLOXHead', num_classes=2, in_channels=8, feat_channels=8),
    train_cfg=dict(assigner=dict(type='FastSimOTAAssigner')),
    test_cfg=dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.65, max_num=20)),
)
NORM = dict(type='BN')
RTMDET = dict(
    backbone=dict(type='CSPNeXt', deepen_factor=0.167, widen_factor=0.0625, norm_cfg=NORM),
    neck=dict(
        type='CSPNeXtPAFPN', in_channels=CHANNELS, out_channels=8, num_csp_blocks=1, norm_cfg=NORM
    ),
    bbox_head=dict(
        type='RTMDetSepBNHead',
        num_classes=2,
        in_channels=8,
        feat_channels=8,
        stacked_convs=1,
        norm_cfg=NORM,
        anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8, 16, 32]),
        bbox_coder=dict(type='DistancePointBBoxCoder'),
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    ),
    train_cfg=dict(
        assigner=dict(type='DynamicSoftLabelAssigner', topk=13), allowed_border=-1, pos_weight=-1
    ),
    test_cfg=dict(
        nms_pre=100, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.65), max_per_img=20
    ),
)
DETECTORS = pytest.mark.parametrize('parts', [YOLOX, RTMDET], ids=['YOLOX', 'RTMDet'])
PREPROCESSOR = dict(
    type='EventDataPreprocessor',
    image=dict(type='PolaritySurface'),
    mean=[0.0] * 3,
    std=[255.0] * 3,  # small numbers, which networks that were never trained do not make large
)


def build(config: dict, **options) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict({**config, **options}))
    for module in model.modules():  # as after a training
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def streaming(parts: dict, in_channels=(8, 8, 8), trained: bool = True, **options):
    adapter = dict(type='ConvLSTMAdapter', in_channels=list(in_channels))
    options = dict(data_preprocessor=PREPROCESSOR, adapter=adapter) | options
    detector = build(parts, type='StreamingDetector', **options)
    if trained and detector.adapter:
        for output in detector.adapter.outputs:
            nn.init.normal_(output.weight, std=0.3)
    return detector


def head_outputs(detector: StreamingDetector, clip: dict) -> list[torch.Tensor]:
    """Of the labelled steps of a clip, all levels."""
    batch = detector.data_preprocessor(batch_of(clip))
    features, _ = detector.unroll(batch['inputs'], batch['data_samples'])
    outputs = detector.bbox_head(detector._pyramid(features))
    return [level for kind in outputs for level in kind or []]


@torch.no_grad()
@DETECTORS
def test_at_first_it_is_the_detector_of_images(parts: dict) -> None:
    """MMDetection's own class with the same weights; every step of a stream, to the last bit."""
    detector = streaming(parts, trained=False)
    own = 'YOLOX' if parts is YOLOX else 'RTMDet'
    plain = build(parts, type=own, data_preprocessor=dict(type='DetDataPreprocessor'))
    loaded = plain.load_state_dict(detector.state_dict(), strict=False)
    assert not loaded.missing_keys
    assert all(name.startswith('adapter.') for name in loaded.unexpected_keys)
    state = None
    for step in recording(1, 3):
        image = detector.data_preprocessor.prepare(step[None])
        pyramid, state = detector.step(image, state)
        ours, theirs = detector.bbox_head(pyramid), plain(image)
        for a, b in zip(ours, theirs, strict=True):
            assert all(torch.equal(x, y) for x, y in zip(a or [], b or [], strict=True))
    found = detector.test_step(batch_of(make_clip(recording(1, 3), 0, 3, (1, 2))))
    for sample, step in zip(found, recording(1, 3)[1:], strict=True):
        image = detector.data_preprocessor.prepare(step[None])
        meta = dict(img_shape=(SIZE, SIZE), scale_factor=(0.5, 0.5), ori_shape=(2 * SIZE, 2 * SIZE))
        (alone,) = plain.bbox_head.predict_by_feat(
            *plain(image), batch_img_metas=[meta], rescale=True
        )
        torch.testing.assert_close(sample.pred_instances.bboxes, alone.bboxes)
        torch.testing.assert_close(sample.pred_instances.scores, alone.scores)


@torch.no_grad()
@DETECTORS
@pytest.mark.parametrize('after', ['neck', 'backbone'])
def test_what_was_seen_changes_the_next_step_with_memory_alone(parts: dict, after: str) -> None:
    """An object that stands sends events in the first step; the second one is empty."""
    seen = torch.zeros(2, 4, SIZE, SIZE, dtype=torch.uint8)
    nothing = seen.clone()
    seen[0, :, 16:32, 24:40] = 3
    channels = (8, 8, 8) if after == 'neck' else CHANNELS

    def differs(detector: StreamingDetector) -> bool:
        found = []
        for events in (seen, nothing):
            detector.test_step(batch_of(make_clip(events, 0, 1, ())))
            found.append(head_outputs(detector, make_clip(events, 1, 2, (1,))))
        return any(not torch.equal(a, b) for a, b in zip(*found, strict=True))

    detector = streaming(parts, channels, adapter_after=after)
    assert differs(detector)
    detector.reset_every_step = True
    assert not differs(detector)
    assert not differs(streaming(parts, channels, trained=False, adapter_after=after))


@torch.no_grad()
def test_clips_of_any_length_give_what_a_plain_loop_gives() -> None:
    detector = streaming(YOLOX)
    events = recording(1, 6)
    state, expected = None, []
    for step in events:
        pyramid, state = detector.step(detector.data_preprocessor.prepare(step[None]), state)
        expected.append([level for kind in detector.bbox_head(pyramid) for level in kind])
    for start, stop in ((0, 1), (1, 4), (4, 6)):
        found = head_outputs(detector, make_clip(events, start, stop, tuple(range(6))))
        for level, *of_steps in zip(found, *expected[start:stop], strict=True):
            torch.testing.assert_close(level, torch.cat(of_steps), rtol=1e-4, atol=1e-5)


def total_loss(detector: StreamingDetector, *clips: dict) -> torch.Tensor:
    batch = detector.data_preprocessor(batch_of(*clips), True)
    return detector.parse_losses(detector(**batch, mode='loss'))[0]


@DETECTORS
@pytest.mark.parametrize('labels', [(2,), ()], ids=['labelled', 'without a label'])
def test_every_parameter_takes_part_in_training(parts: dict, labels: tuple[int, ...]) -> None:
    detector = streaming(parts).train()
    events = recording(1, 3).float().requires_grad_()
    detector.data_preprocessor.image = None  # counts in place of an image, for their gradient
    clip = make_clip(events[:, :3], 0, 3, labels)
    total = total_loss(detector, clip, make_clip(recording(2, 2)[:, :3].float(), 0, 2, ()))
    assert total.isfinite() and (total > 0) == bool(labels)
    total.backward()
    assert [name for name, p in detector.named_parameters() if p.grad is None] == []
    if labels:
        assert events.grad[0].abs().sum() > 0, 'through time'
        own = [p.grad.abs().sum() for p in detector.adapter.parameters()]
        assert min(own) > 0


@DETECTORS
@pytest.mark.parametrize('frozen', [('backbone', 'neck', 'bbox_head'), ('backbone',), 'backbone'])
def test_what_is_frozen_stays(parts: dict, frozen) -> None:
    detector = streaming(parts, frozen=frozen).train()
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    learns = [p for p in detector.parameters() if p.requires_grad]
    optimizer = OptimWrapper(torch.optim.SGD(learns, lr=0.1))
    for i in range(2):
        detector.train_step(
            batch_of(make_clip(recording(1, 4), 2 * i, 2 * i + 2, (1, 3))), optimizer
        )
    names = (frozen,) if isinstance(frozen, str) else frozen
    for name, value in detector.state_dict().items():
        if name.startswith(tuple(f'{part}.' for part in names)):
            assert torch.equal(value, before[name]), name
        elif name.endswith('running_mean'):
            assert not torch.equal(value, before[name]), name
    for part in names:
        assert not any(module.training for module in detector.get_submodule(part).modules())
    assert detector.adapter.training
    changed = [
        n
        for n, v in detector.adapter.named_parameters()
        if not torch.equal(v, before[f'adapter.{n}'])
    ]
    assert len(changed) == len(list(detector.adapter.parameters()))


@torch.no_grad()
def test_only_labelled_steps_are_looked_at_where_nothing_remembers() -> None:
    detector = streaming(YOLOX, adapter=None)
    assert detector.adapter is None and not detector.is_recurrent
    seen = []
    detector.backbone.register_forward_hook(lambda module, args, output: seen.append(len(args[0])))
    found = detector.test_step(batch_of(make_clip(recording(1, 5), 0, 5, (1, 4))))
    assert [sample.img_id for sample in found] == [1, 4] and seen == [2]
    detector.test_step(batch_of(make_clip(recording(1, 7), 5, 7, ())))


@torch.no_grad()
def test_steps_of_half_the_length_forget_half_as_much() -> None:
    """A still input: two steps of 25 ms leave the memory of one of 50, if it was trained at 50."""
    events = recording(1, 1).repeat(4, 1, 1, 1)

    def cell(steps: int, length_us: int, **options) -> torch.Tensor:
        detector = streaming(YOLOX, step_ms=50, **options)
        for lstm in detector.adapter.lstms:  # gates that see the input alone
            lstm.conv1x1.weight[:, lstm.conv1x1.in_channels // 2 :] = 0
        clip = make_clip(events, 0, steps, ())
        clip['data_samples'].set_metainfo(dict(step_us=[length_us] * steps))
        detector.test_step(batch_of(clip))
        ((state,),) = [detector._memory[False].states.values()]
        return state[0][1]

    torch.testing.assert_close(cell(4, 25_000), cell(2, 50_000), rtol=1e-4, atol=1e-5)
    assert (cell(4, 50_000) - cell(2, 50_000)).abs().max() > 0.01
    torch.testing.assert_close(cell(1, 100_000), cell(2, 50_000), rtol=1e-4, atol=1e-5)


def test_options_that_mean_nothing() -> None:
    for options, message in (
        (dict(adapter_after='head'), "model.adapter_after='head': 'neck' or 'backbone'"),
        (dict(step_ms=0), 'model.step_ms=0: milliseconds'),
        (dict(frozen=['stem']), "'stem'; the parts of this detector: backbone, neck, bbox_head"),
        (
            dict(frozen=['backbone', 'neck', 'bbox_head'], adapter=None),
            'nothing is left that learns',
        ),
    ):
        with pytest.raises(UserError, match=message):
            streaming(YOLOX, **options)
    detector = streaming(YOLOX, step_ms=50)
    with pytest.raises(UserError, match='needs to know how long the steps of a clip are'):
        detector.test_step(batch_of(make_clip(recording(1, 1), 0, 1, ())))
