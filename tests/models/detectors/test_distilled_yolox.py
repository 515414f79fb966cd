import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import nn

from abc_mmdet.errors import UserError
from abc_mmdet.models.detectors.distilled_yolox import distillation_losses, strides
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs

ROOT = Path(__file__).parents[3]
TINY = f"""
_base_ = '{ROOT}/configs/_base_/models/yolox_3level.py'
model = dict(
    backbone=dict(widen_factor=0.125),
    neck=dict(in_channels=[32, 64, 128], out_channels=16),
    bbox_head=dict(num_classes=3, in_channels=16, feat_channels=16))
"""


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    path = tmp_path / 'teacher.py'
    path.write_text(TINY)
    return path


def student(teacher: Path | None, checkpoint: str | None = None, **options) -> nn.Module:
    path = teacher if teacher is not None else None
    config = Config.fromstring(TINY, '.py').model
    config.update(type='DistilledYOLOX', **options)
    if path is not None:
        config.teacher = dict(config=str(path), checkpoint=checkpoint)
    model = MODELS.build(config)
    model.init_weights()
    return model


def batch(model: nn.Module, side: int = 96) -> dict:
    data = demo_mm_inputs(2, [(3, side, side)] * 2, num_items=[3, 0], num_classes=3)
    return model.data_preprocessor(data, training=True)


def test_losses_and_gradients(teacher: Path) -> None:
    model = student(teacher).train()
    losses = model(**batch(model), mode='loss')
    assert {'loss_kd_cls', 'loss_kd_bbox'} < set(losses)
    total, _ = model.parse_losses({k: v for k, v in losses.items() if 'kd' in k})
    total.backward()
    # Through the teacher's last layers to the student's first, on strides 8 and 16, not 32
    head = model.bbox_head
    for level, is_taught in ((0, True), (1, True), (2, False)):
        for towers in (head.multi_level_cls_convs, head.multi_level_reg_convs):
            first, last = (towers[level][i].conv.weight.grad for i in (0, 1))
            assert (first is not None and bool(first.any())) == is_taught
            assert last is None
    (frozen,) = model._teacher
    assert not frozen.training and not any(p.requires_grad for p in frozen.parameters())


def test_checkpoints_and_inference_know_no_teacher(teacher: Path) -> None:
    model = student(teacher)
    plain = MODELS.build(Config.fromstring(TINY, '.py').model)
    plain.load_state_dict(model.state_dict())  # strict
    assert len(list(model.parameters())) == len(list(plain.parameters()))
    image = torch.rand(1, 3, 64, 96)
    for ours, theirs in zip(model.eval()(image), plain.eval()(image), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    missing = copy.deepcopy(Config.fromstring(TINY, '.py').model)
    missing.update(type='DistilledYOLOX', teacher=dict(config='none.py', checkpoint='none.pth'))
    MODELS.build(missing)  # as for testing: nothing is read


def test_without_a_teacher_it_is_yolox() -> None:
    model = student(None).train()
    assert set(model(**batch(model), mode='loss')) == {'loss_cls', 'loss_bbox', 'loss_obj'}


def test_a_student_that_says_what_the_teacher_says_has_no_box_loss(teacher: Path) -> None:
    head = MODELS.build(Config.fromfile(teacher).model).bbox_head.eval()
    feature = torch.randn(1, 16, 6, 6)
    for conv in (*head.multi_level_conv_obj, *head.multi_level_conv_cls):
        nn.init.zeros_(conv.bias)
    first = head.multi_level_cls_convs[1][0](feature), head.multi_level_reg_convs[1][0](feature)
    cls, box, weight = distillation_losses(head, 1, feature, *first)
    assert cls.item() == pytest.approx(0, abs=1e-9) and box.item() == pytest.approx(0, abs=1e-4)
    other = [torch.randn(1, 16, 6, 6) for _ in first]
    worse_cls, worse_box, same = distillation_losses(head, 1, feature, *other)
    assert worse_cls > 1e-4 and worse_box > 0.1 and same == weight


def test_losses_against_plain_arithmetic(teacher: Path) -> None:
    """One place at a time, with loops."""
    torch.manual_seed(1)
    head = MODELS.build(Config.fromfile(teacher).model).bbox_head.eval()
    feature, cls_first, reg_first = (torch.randn(1, 16, 2, 3) for _ in range(3))

    def predicted(cls, reg):
        score = (
            head.multi_level_conv_cls[1](cls).sigmoid()
            * head.multi_level_conv_obj[1](reg).sigmoid()
        )
        return score, head.multi_level_conv_reg[1](reg)

    truth, boxes = predicted(
        head.multi_level_cls_convs[1](feature), head.multi_level_reg_convs[1](feature)
    )
    ours, our_boxes = predicted(
        head.multi_level_cls_convs[1][1](cls_first), head.multi_level_reg_convs[1][1](reg_first)
    )

    def corners(box, x, y):
        centre = (box[0] + x) * 16, (box[1] + y) * 16
        half = box[2].exp() * 8, box[3].exp() * 8
        return *(c - h for c, h in zip(centre, half, strict=True)), *(
            c + h for c, h in zip(centre, half, strict=True)
        )

    cls = box = weight = 0.0
    for y in range(2):
        for x in range(3):
            for c in range(3):
                p, t = ours[0, c, y, x], truth[0, c, y, x]
                entropy = -(t * p.log() + (1 - t) * (1 - p).log())
                cls += (p - t) ** 2 * entropy
            w = truth[0, :, y, x].max()
            weight += w
            if w > 0.05:
                a, b = corners(our_boxes[0, :, y, x], x, y), corners(boxes[0, :, y, x], x, y)
                wide = min(a[2], b[2]) - max(a[0], b[0])
                high = min(a[3], b[3]) - max(a[1], b[1])
                overlap = max(wide, 0) * max(high, 0)
                areas = [(q[2] - q[0]) * (q[3] - q[1]) for q in (a, b)]
                box += w * (1 - overlap / (sum(areas) - overlap))
    found = distillation_losses(head, 1, feature, cls_first, reg_first)
    expected = torch.stack([torch.as_tensor(v, dtype=torch.float) for v in (cls, box, weight)])
    assert torch.allclose(torch.stack(found), expected, rtol=1e-4, atol=1e-6)


def test_the_teacher_sees_the_image_larger(teacher: Path) -> None:
    model = student(teacher).train()
    (frozen,) = model._teacher
    seen = []
    extract = frozen.extract_feat
    frozen.extract_feat = lambda inputs: (seen.append(inputs), extract(inputs))[1]
    inputs = batch(model)
    model(**inputs, mode='loss')
    expected = F.interpolate(inputs['inputs'], scale_factor=2, mode='bilinear')
    assert torch.equal(seen[0], expected) and strides(frozen) == [8, 16, 32]


def test_mistakes(teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'model.teacher.config: there is no file .*none.py'):
        student(tmp_path / 'none.py')
    with pytest.raises(UserError, match=r'model.teacher.checkpoint: there is no file none.pth'):
        student(teacher, 'none.pth')
    with pytest.raises(UserError, match='at scale 8 no level'):
        student(teacher, scale=8)
