"""CenterSimOTAAssigner against RVT's rule, in plain loops over boxes and priors."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.models.task_modules import CenterSimOTAAssigner, FastSimOTAAssigner
from mmdet.models.dense_heads import YOLOXHead
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import HorizontalBoxes

STRIDES, SIZES = (8, 16, 32), ((12, 16), (6, 8), (3, 4))


def priors() -> np.ndarray:
    """Centre of each cell and stride, ``(P, 3)``."""
    return np.array(
        [
            ((column + 0.5) * stride, (row + 0.5) * stride, stride)
            for stride, (height, width) in zip(STRIDES, SIZES, strict=True)
            for row in range(height)
            for column in range(width)
        ]
    )


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    w, h = (max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return w * h / (sum(areas) - w * h)


def log(x: float) -> float:
    return max(-100.0, math.log(x)) if x > 0 else -100.0


def reference(
    cells: np.ndarray, boxes: np.ndarray, scores: np.ndarray, gts: np.ndarray, labels: np.ndarray
) -> dict[int, tuple[int, float]]:
    """Box and IoU of every positive prior.

    Candidates are the priors near the centre of any box. A box takes as many of them as the IoUs
    of its best ten add up to, one at least, the cheapest first; a prior that several boxes took
    goes to the one for which it is cheapest.
    """
    near = {
        (g, p): abs((gt[0] + gt[2]) / 2 - x) < 1.5 * stride
        and abs((gt[1] + gt[3]) / 2 - y) < 1.5 * stride
        for g, gt in enumerate(gts)
        for p, (x, y, stride) in enumerate(cells)
    }
    candidates = sorted({p for (_, p), is_near in near.items() if is_near})
    overlap = {(g, p): iou(gts[g], boxes[p]) for g in range(len(gts)) for p in candidates}
    cost = {}
    for g, p in overlap:
        class_cost = -sum(
            log(s) if c == labels[g] else log(1 - s) for c, s in enumerate(scores[p].tolist())
        )
        cost[g, p] = class_cost - 3 * math.log(overlap[g, p] + 1e-8) + 1e6 * (not near[g, p])
    taken: dict[int, list[int]] = {}
    for g in range(len(gts)):
        best = sorted((overlap[g, p] for p in candidates), reverse=True)[:10]
        count = max(1, int(sum(best)))
        for p in sorted(candidates, key=lambda p: cost[g, p])[:count]:
            taken.setdefault(p, []).append(g)
    positives = {}
    for p, claims in taken.items():
        g = claims[0] if len(claims) == 1 else min(range(len(gts)), key=lambda g: cost[g, p])
        positives[p] = g, overlap[g, p]
    return positives


def scene(seed: int) -> tuple[np.ndarray, ...]:
    """Predictions, and boxes that crowd in places or lie over the border."""
    rng = np.random.default_rng(seed)
    cells = priors()
    count = int(rng.integers(1, 9))
    middle = rng.uniform(-20, 145, (count, 2)) * rng.choice([1, 0.4])
    half = 2 ** rng.uniform(1, 5.5, (count, 2))
    gts = np.hstack([middle - half, middle + half])
    labels = rng.integers(0, 3, count)
    sides = cells[:, 2:] * 2 ** rng.normal(0, 0.7, (len(cells), 2))
    boxes = np.hstack([cells[:, :2] - sides, cells[:, :2] + sides])
    learned = rng.random(len(cells)) < 0.5
    noise = rng.normal(0, 3, boxes.shape)
    boxes = np.where(learned[:, None], gts[rng.integers(0, count, len(cells))] + noise, boxes)
    boxes = np.hstack([boxes[:, :2], np.maximum(boxes[:, 2:], boxes[:, :2] + 0.5)])
    return cells, boxes, rng.random((len(cells), 3)), gts, labels


@pytest.mark.parametrize('wrap', [torch.as_tensor, HorizontalBoxes])
def test_assignment_is_that_of_the_rule(wrap: type) -> None:
    assigner = CenterSimOTAAssigner()
    shared = borrowed = other = 0
    for seed in range(60):
        cells, boxes, scores, gts, labels = scene(seed)
        expected = reference(cells, boxes, scores, gts, labels)
        predictions = InstanceData(
            priors=torch.tensor(cells[:, [0, 1, 2, 2]]),
            bboxes=torch.tensor(boxes),
            scores=torch.tensor(scores),
        )
        truth = InstanceData(bboxes=wrap(torch.tensor(gts)), labels=torch.tensor(labels))
        result = assigner.assign(predictions, truth)
        positives = result.gt_inds.nonzero()[:, 0].tolist()
        assert {p: int(result.gt_inds[p]) - 1 for p in positives} == {
            p: g for p, (g, _) in expected.items()
        }, seed
        for p, (g, overlap) in expected.items():
            assert result.labels[p] == labels[g]
            assert float(result.max_overlaps[p]) == pytest.approx(overlap, abs=1e-6)
        found = {g for g, _ in expected.values()}
        shared += len(found) < len(gts)
        centres = (gts[:, :2] + gts[:, 2:]) / 2
        borrowed += any(
            (abs(centres[g] - cells[p, :2]) >= 1.5 * cells[p, 2]).any()
            for p, (g, _) in expected.items()
        )
        plain = FastSimOTAAssigner(center_radius=2.5).assign(predictions, truth)
        other += not torch.equal(plain.gt_inds, result.gt_inds)
    assert min(shared, borrowed, other) > 3, 'the scenes have the hard cases'


def test_a_box_in_no_reach_has_no_positives() -> None:
    cells, boxes, scores, gts, labels = scene(0)
    predictions = InstanceData(
        priors=torch.tensor(cells[:, [0, 1, 2, 2]]),
        bboxes=torch.tensor(boxes),
        scores=torch.tensor(scores),
    )
    far = InstanceData(bboxes=torch.tensor(gts + 1e4), labels=torch.tensor(labels))
    assert not CenterSimOTAAssigner().assign(predictions, far).gt_inds.any()
    none = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    assert not CenterSimOTAAssigner().assign(predictions, none).gt_inds.any()


def plain_loss(outputs: list[list[Tensor]], truths: list[tuple[np.ndarray, np.ndarray]]) -> Tensor:
    """RVT's loss: 5 (1 - IoU^2) + objectness + class, summed and divided by the positives."""
    cls, reg, obj = (
        torch.cat([level.flatten(2).permute(0, 2, 1) for level in kind], 1) for kind in outputs
    )
    cells = priors()
    corner = torch.tensor(cells[:, :2] - cells[:, 2:] / 2)
    stride = torch.tensor(cells[:, 2:])
    total, count = torch.zeros((), dtype=torch.float64), 0
    for i, (gts, labels) in enumerate(truths):
        middle, half = reg[i, :, :2] * stride + corner, reg[i, :, 2:].exp() * stride / 2
        boxes = torch.cat([middle - half, middle + half], 1)
        scores = (cls[i].sigmoid() * obj[i].sigmoid()).sqrt()
        positives = reference(cells, boxes.detach().numpy(), scores.detach().numpy(), gts, labels)
        is_object = torch.zeros(len(cells), 1, dtype=torch.float64)
        for p, (g, overlap) in positives.items():
            is_object[p] = 1
            gt = torch.tensor(gts[g])
            inner = torch.minimum(boxes[p, 2:], gt[2:]) - torch.maximum(boxes[p, :2], gt[:2])
            shared = inner.clamp(min=0).prod()
            areas = (boxes[p, 2:] - boxes[p, :2]).prod() + (gt[2:] - gt[:2]).prod()
            total = total + 5 * (1 - (shared / (areas - shared + 1e-16)) ** 2)
            target = torch.zeros(3, dtype=torch.float64)
            target[labels[g]] = overlap
            total = total + F.binary_cross_entropy_with_logits(cls[i, p], target, reduction='sum')
        total = total + F.binary_cross_entropy_with_logits(obj[i], is_object, reduction='sum')
        count += len(positives)
    return total / max(count, 1)


def test_loss_and_gradient_are_those_of_rvt() -> None:
    head = YOLOXHead(
        3, 8, feat_channels=8, strides=STRIDES,
        train_cfg=dict(assigner=dict(type='CenterSimOTAAssigner')),
    )  # fmt: skip
    assert isinstance(head.assigner, CenterSimOTAAssigner)
    generator = torch.Generator().manual_seed(1)
    outputs = [
        [
            torch.randn(2, channels, *size, generator=generator, dtype=torch.float64)
            .mul(0.5)
            .requires_grad_()
            for size in SIZES
        ]
        for channels in (3, 4, 1)
    ]
    truths = [scene(seed)[3:] for seed in (3, 5)]
    instances = [
        InstanceData(bboxes=torch.tensor(gts), labels=torch.tensor(labels))
        for gts, labels in truths
    ]
    losses = head.loss_by_feat(*outputs, instances, [dict(img_shape=(96, 128))] * 2)
    ours, expected = sum(losses.values()), plain_loss(outputs, truths)
    leaves = [level for kind in outputs for level in kind]
    assert float(ours.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    pairs = zip(*(torch.autograd.grad(loss, leaves) for loss in (ours, expected)), strict=True)
    for a, b in pairs:
        assert b.abs().max() > 0
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_options() -> None:
    assigner = TASK_UTILS.build(dict(type='CenterSimOTAAssigner', center_radius=2.0))
    assert (assigner.center_radius, assigner.candidate_topk, assigner.iou_weight) == (2.0, 10, 3.0)
    assert CenterSimOTAAssigner().center_radius == 1.5
