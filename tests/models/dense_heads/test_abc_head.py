from copy import deepcopy

import pytest
import torch
from mmengine.config import ConfigDict
from torch.utils.flop_counter import FlopCounterMode

from abc_mmdet.errors import UserError
from abc_mmdet.models.dense_heads import ABCHead
from mmdet.registry import MODELS

CLASSES = ('car', 'pedestrian', 'bus', 'bicycle')
SMALL = ('bicycle', 'pedestrian')
STRIDES = (4, 8, 16, 32)
ASSIGNER = dict(assigner=dict(type='FastSimOTAAssigner'))
TEST_CFG = ConfigDict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.65))
YOLOX = dict(type='YOLOXHead', in_channels=8, feat_channels=8, stacked_convs=1, strides=STRIDES)
AUX = dict(type='AuxSmallObjectHead', in_channels=8, feat_channels=4)

OTHER_HEADS = {
    'RTMDet': (
        dict(
            type='RTMDetSepBNHead',
            in_channels=8,
            feat_channels=8,
            stacked_convs=1,
            share_conv=False,
            anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8, 16, 32]),
            bbox_coder=dict(type='DistancePointBBoxCoder'),
            norm_cfg=dict(type='BN'),
            with_objectness=False,
            loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0),
            loss_bbox=dict(type='SizeAwareIoULoss', iou_loss=dict(type='GIoULoss')),
        ),
        dict(
            assigner=dict(type='DynamicSoftLabelAssigner', topk=13),
            allowed_border=-1,
            pos_weight=-1,
        ),
    ),
    'ATSS': (
        dict(
            type='ATSSHead',
            in_channels=8,
            feat_channels=32,
            stacked_convs=1,
            anchor_generator=dict(
                type='AnchorGenerator',
                ratios=[1.0],
                octave_base_scale=8,
                scales_per_octave=1,
                strides=[8, 16, 32],
            ),
            loss_bbox=dict(type='GIoULoss'),
        ),
        dict(assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1),
    ),
    'GFL': (
        dict(
            type='GFLHead',
            in_channels=8,
            feat_channels=32,
            stacked_convs=1,
            anchor_generator=dict(
                type='AnchorGenerator',
                ratios=[1.0],
                octave_base_scale=8,
                scales_per_octave=1,
                strides=[8, 16, 32],
            ),
            loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0),
            loss_bbox=dict(type='GIoULoss'),
            reg_max=16,
        ),
        dict(assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1),
    ),
}


def abc_head(**changes) -> ABCHead:
    config = dict(
        type='ABCHead',
        main_head=YOLOX,
        aux_head=AUX,
        classes=CLASSES,
        small_classes=SMALL,
        train_cfg=ASSIGNER,
        test_cfg=TEST_CFG,
    )
    head = MODELS.build(deepcopy({**config, **changes}))
    head.init_weights()
    return head


def plain_head() -> torch.nn.Module:
    head = MODELS.build(dict(**YOLOX, num_classes=4, train_cfg=ASSIGNER, test_cfg=TEST_CFG))
    head.init_weights()
    return head


def assert_equal_losses(a: dict, b: dict) -> None:
    assert set(a) == set(b)
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=0)


def test_loss_is_that_of_both_heads(pyramid, samples) -> None:
    head, levels, gt = abc_head(), pyramid(STRIDES), samples([0, 1, 3, 3], [2, 1])
    before = [sample.gt_instances.clone() for sample in gt]
    losses = head.loss(levels, gt)

    small = deepcopy(gt)
    for sample, keep, labels in zip(small, ([1, 2, 3], [1]), ([1, 0, 0], [1]), strict=True):
        sample.gt_instances = sample.gt_instances[keep]
        sample.gt_instances.labels = torch.tensor(labels)
    main, aux = head.main_head.loss(levels, gt), head.aux_head.loss(levels[:2], small)
    assert_equal_losses(losses, main | {f'aux_{name}': 2.0 * value for name, value in aux.items()})
    for sample, original in zip(gt, before, strict=True):
        assert torch.equal(sample.gt_instances.labels, original.labels)
        assert torch.equal(sample.gt_instances.bboxes, original.bboxes)


def test_auxiliary_task_by_size(pyramid, samples) -> None:
    head, levels = abc_head(small_classes='all', max_area=300), pyramid(STRIDES)
    gt = samples([0, 3], [])
    gt[0].gt_instances.bboxes = torch.tensor([[10.0, 10, 20, 40], [40.0, 10, 70, 21]])
    losses = head.loss(levels, gt)
    small = deepcopy(gt)
    small[0].gt_instances = gt[0].gt_instances[:1]  # 300 px², the other has 330
    small[0].ignored_instances = gt[0].gt_instances[1:]
    assert head.aux_head.num_classes == len(CLASSES)
    for name, value in head.aux_head.loss(levels[:2], small).items():
        assert losses[f'aux_{name}'] == 2.0 * value


def test_gradients_reach_all_shared_levels_and_both_heads(pyramid, samples) -> None:
    head, levels = abc_head(), pyramid(STRIDES)
    sum(head.loss(levels, samples([0, 1, 3], [1])).values()).backward()
    assert all(level.grad.abs().sum() > 0 for level in levels)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize('labels', [([0, 2], [2]), ([], []), ([], [1])])
def test_images_without_small_or_any_objects(pyramid, samples, labels: tuple) -> None:
    head, levels = abc_head(), pyramid(STRIDES)
    losses = head.loss(levels, samples(*labels))
    assert all(value.isfinite() for value in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
    boxes_of = {
        'main_head': any(labels),
        'aux_head': any(i in (1, 3) for image in labels for i in image),
    }
    for name, parameter in head.named_parameters():
        if 'conv_reg.' in name:  # box regression learns from objects of its own task alone
            has_gradient = bool(parameter.grad.abs().sum() > 0)
            level = int(name.split('conv_reg.')[1][0])
            assert not has_gradient or boxes_of[name.split('.')[0]], (name, level)
    for part, has_boxes in boxes_of.items():
        regression = [
            p for n, p in head.named_parameters() if n.startswith(part) and 'conv_reg.' in n
        ]
        assert any(bool(p.grad.abs().sum() > 0) for p in regression) == has_boxes


def test_prediction_is_that_of_the_plain_head_at_its_cost(pyramid, samples) -> None:
    head, plain = abc_head().eval(), plain_head().eval()
    plain.load_state_dict(head.main_head.state_dict())
    for part in (head.aux_head, head.multi_task_loss):
        part.register_forward_pre_hook(lambda *_: pytest.fail('the auxiliary branch was called'))
    levels, gt = pyramid(STRIDES), samples([0], [1])
    with FlopCounterMode(display=False) as flops:
        ours = head.predict(levels, gt, rescale=True)
    with FlopCounterMode(display=False) as plain_flops:
        theirs = plain.predict(levels, gt, rescale=True)
    assert flops.get_total_flops() == plain_flops.get_total_flops() > 0
    for a, b in zip(ours, theirs, strict=True):
        assert len(a) > 0
        for key in ('bboxes', 'scores', 'labels'):
            assert torch.equal(a[key], b[key])
    for a, b in zip(head(levels), plain(levels), strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_without_auxiliary_it_is_the_main_head(pyramid, samples) -> None:
    head, plain = abc_head(use_auxiliary=False), plain_head()
    assert not any('aux' in name for name in head.state_dict())
    head.load_state_dict({f'main_head.{n}': v for n, v in plain.state_dict().items()})
    levels, gt = pyramid(STRIDES), samples([0, 1], [])
    assert_equal_losses(head.loss(levels, gt), plain.loss(levels, gt))


def test_train_only_levels(pyramid, samples) -> None:
    head = abc_head(main_head=dict(YOLOX, strides=(8, 16, 32)))
    gt = samples([0, 1], [3])
    losses = head.train().loss(pyramid(STRIDES), gt)
    assert 'aux_loss_cls' in losses
    head.eval()
    assert len(head(pyramid((8, 16, 32)))[0]) == 3
    assert set(head.loss(pyramid((8, 16, 32)), gt)) == {'loss_cls', 'loss_bbox', 'loss_obj'}
    with pytest.raises(UserError, match=r'aux_head needs strides \[4, 8\]'):
        head.train().loss(pyramid((8, 16, 32)), gt)
    with pytest.raises(UserError, match='the pyramid gives 2 levels'):
        head(pyramid((16, 32)))


@pytest.mark.parametrize('name', OTHER_HEADS)
def test_wraps_other_dense_heads(name: str, pyramid, samples) -> None:
    config, train_cfg = OTHER_HEADS[name]
    test_cfg = ConfigDict(
        nms_pre=50,
        min_bbox_size=0,
        score_thr=0.0,
        nms=dict(type='nms', iou_threshold=0.6),
        max_per_img=20,
    )
    head = abc_head(main_head=config, train_cfg=train_cfg, test_cfg=test_cfg)
    plain = MODELS.build(
        deepcopy(dict(config, num_classes=4, train_cfg=train_cfg, test_cfg=test_cfg))
    )
    plain.load_state_dict(head.main_head.state_dict())
    levels, gt = pyramid(STRIDES), samples([0, 1, 3], [2])
    losses, plain_losses = head.loss(levels, gt), plain.loss(levels[1:], gt)
    for key, value in plain_losses.items():
        torch.testing.assert_close(losses[key], value, rtol=0, atol=0)
    assert {'aux_loss_cls', 'aux_loss_bbox', 'aux_loss_obj'} <= set(losses)
    total = sum(sum(v) if isinstance(v, list) else v for v in losses.values())
    total.backward()
    assert all(level.grad.isfinite().all() for level in levels)
    head.eval(), plain.eval()
    for a, b in zip(head.predict(levels, gt), plain.predict(levels[1:], gt), strict=True):
        assert torch.equal(a.bboxes, b.bboxes)


def test_plain_checkpoint_loads(pyramid) -> None:
    head, plain = abc_head(), plain_head()
    result = head.load_state_dict(plain.state_dict(), strict=False)
    assert not result.unexpected_keys
    assert all(key.startswith('aux_head.') for key in result.missing_keys)
    for name, value in plain.state_dict().items():
        assert torch.equal(head.main_head.state_dict()[name], value)


def test_own_checkpoint_loads() -> None:
    head, other = abc_head(), abc_head()
    head.load_state_dict(other.state_dict())
    for name, value in other.state_dict().items():
        assert torch.equal(head.state_dict()[name], value)


def gradients_of(head: ABCHead, levels: tuple, gt: list) -> dict[str, torch.Tensor]:
    """Gradients of all parameters and levels after one step; the head's report is left unread."""
    head.zero_grad()
    for level in levels:
        level.grad = None
    losses = head.loss(levels, gt)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    of_levels = {f'level {i}': level.grad for i, level in enumerate(levels)}
    return of_levels | {name: p.grad for name, p in head.named_parameters()}


def test_the_default_arbiter_adds_as_autograd_does(pyramid, samples) -> None:
    head, plain = abc_head(), abc_head(arbiter=None)
    plain.load_state_dict(head.state_dict())
    levels, gt = pyramid(STRIDES), samples([0, 1, 3, 3], [2, 1])
    ours, theirs = gradients_of(head, levels, gt), gradients_of(plain, levels, gt)
    assert set(ours) == set(theirs)
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name])


def test_detached_the_auxiliary_task_trains_its_own_head_alone(pyramid, samples) -> None:
    train_only = dict(YOLOX, strides=(8, 16, 32))
    head = abc_head(main_head=train_only, arbiter=dict(type='GradientArbiter', mode='detach'))
    plain = abc_head(main_head=train_only)
    plain.load_state_dict(head.state_dict())
    levels, gt = pyramid(STRIDES), samples([0, 1, 3, 3], [2, 1])
    detached, added = gradients_of(head, levels, gt), gradients_of(plain, levels, gt)
    assert detached['level 0'] is not None and not detached['level 0'].any(), 'a train-only level'
    assert added['level 0'].any()
    main_losses = head.main_head.loss(levels[1:], gt)
    expected = torch.autograd.grad(sum(main_losses.values()), levels[1:])
    for i, gradient in enumerate(expected, start=1):
        torch.testing.assert_close(detached[f'level {i}'], gradient)
    for name, _ in head.named_parameters():
        torch.testing.assert_close(detached[name], added[name])


def test_reports_from_the_second_iteration_on(pyramid, samples) -> None:
    head = abc_head(arbiter=dict(type='GradientArbiter', per='location'))
    levels, gt = pyramid(STRIDES), samples([0, 1, 3, 3], [2, 1])
    losses = head.loss(levels, gt)
    assert not any('conflict' in name for name in losses)
    sum(losses.values()).backward()

    main, aux = head.main_head.loss(levels, gt), head.loss(levels, gt)
    report = {name: value for name, value in aux.items() if 'conflict' in name}
    assert set(report) == {
        f'conflict/s{stride}_{figure}'
        for stride in (4, 8)
        for figure in ('cosine', 'norm_ratio', 'location_rate')
    }
    main = torch.autograd.grad(sum(main.values()), levels[:2])
    aux = sum(value for name, value in aux.items() if name.startswith('aux_loss'))
    aux = torch.autograd.grad(aux, levels[:2])
    for stride, m, a in zip((4, 8), main, aux, strict=True):
        cosine = torch.cosine_similarity(m.flatten(), a.flatten(), dim=0)
        torch.testing.assert_close(report[f'conflict/s{stride}_cosine'], cosine)
        ratio = a.norm() / m.norm()
        torch.testing.assert_close(report[f'conflict/s{stride}_norm_ratio'], ratio)
        rate = ((m * a).sum(dim=1) < 0).float().mean()
        torch.testing.assert_close(
            report[f'conflict/s{stride}_location_rate'], rate, rtol=0, atol=2e-3
        )


def test_a_validation_loss_has_no_report(pyramid, samples) -> None:
    head, levels, gt = abc_head(), pyramid(STRIDES), samples([0], [1])
    gradients_of(head, levels, gt)
    with torch.no_grad():
        losses = head.eval().loss(levels, gt)
    assert 'aux_loss_cls' in losses
    assert not any('conflict' in name for name in losses)
    assert any('conflict' in name for name in head.train().loss(levels, gt))


def test_answers_for_its_main_head() -> None:
    head = abc_head()
    assert head.num_classes == 4
    assert head.prior_generator is head.main_head.prior_generator
    assert head.test_cfg == TEST_CFG
    with pytest.raises(AttributeError, match='no_such_thing'):
        _ = head.no_such_thing


def test_l1_switch_of_yolox_reaches_both_heads(pyramid, samples) -> None:
    head = abc_head()
    head.use_l1 = True  # what YOLOXModeSwitchHook does
    assert head.use_l1
    losses = head.loss(pyramid(STRIDES), samples([1], [0]))
    assert {'loss_l1', 'aux_loss_l1'} <= set(losses)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(small_classes=[1, 2]), r"\['pedestrian', 'bus'\]"),
        (dict(small_classes=('scooter',)), 'scooter'),
        (dict(small_classes=()), 'small_classes is empty'),
        (dict(main_head=dict(YOLOX, num_classes=7)), 'main_head.num_classes=7'),
        (dict(aux_head=dict(AUX, num_classes=3)), 'aux_head.num_classes=3'),
        (dict(aux_head=dict(AUX, strides=(12, 24))), 'leave a gap'),
        (dict(arbiter=dict(type='GradientArbiter', mode='pc_grad')), "mode='pc_grad' is unknown"),
    ],
)
def test_wrong_configs_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        abc_head(**changes)


def test_number_of_a_plain_config_gives_way_to_the_classes() -> None:
    """``main_head=_base_.model.bbox_head`` carries COCO's."""
    assert abc_head(main_head=dict(YOLOX, num_classes=80)).num_classes == 4


@pytest.mark.parametrize(
    ('head', 'message'),
    [
        (
            dict(type='YOLOV3Head', in_channels=[8, 8, 8], out_channels=[8, 8, 8]),
            r'YOLOV3Head .*strides \[32, 16, 8\], the coarsest first',
        ),
        (dict(type='CenterNetHead', in_channels=8, feat_channels=8), 'CenterNetHead has no prior'),
    ],
)
def test_heads_that_cannot_be_joined_say_why(head: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        abc_head(main_head=head)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('mode', ['sum', 'pcgrad'])
def test_autocast(cpu_autocast, pyramid, samples, mode: str, dtype: torch.dtype) -> None:
    head, levels = abc_head(arbiter=dict(type='GradientArbiter', mode=mode)), pyramid(STRIDES)
    with cpu_autocast(dtype):
        losses = head.loss([level * 1 for level in levels], samples([0, 1, 3], []))
    total = sum(losses.values())
    assert total.isfinite()
    total.backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())
    assert all(level.grad.isfinite().all() for level in levels)
    assert head.arbiter.report()['conflict/s4_norm_ratio'] > 0


@pytest.mark.slow
@pytest.mark.parametrize('mode', ['detach', 'pcgrad'])
def test_compiled(pyramid, samples, mode: str) -> None:
    head, gt = abc_head(arbiter=dict(type='GradientArbiter', mode=mode)), samples([0, 1, 3], [2])
    compiled = torch.compile(head.loss, backend='aot_eager')
    levels = pyramid(STRIDES)
    seen = []
    for loss in (head.loss, compiled, compiled):
        head.zero_grad()
        leaves = [level.detach().requires_grad_() for level in levels]
        losses = loss([leaf * 1 for leaf in leaves], gt)
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        gradients = {name: p.grad for name, p in head.named_parameters()}
        seen.append(gradients | {f'level {i}': leaf.grad for i, leaf in enumerate(leaves)})
    assert 'conflict/s4_cosine' in losses
    for other in seen[1:]:
        for name, gradient in seen[0].items():
            torch.testing.assert_close(other[name], gradient, rtol=1e-4, atol=1e-5)
