"""SizedSimOTAAssigner: SimOTA where a level only takes boxes that are small for it."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.errors import UserError
from abc_mmdet.models.task_modules import FastSimOTAAssigner, SizedSimOTAAssigner

STRIDES = (4, 8, 16)
SIDE = 128


def priors() -> Tensor:
    levels = []
    for stride in STRIDES:
        cells = torch.arange(SIDE // stride) * float(stride) + stride / 2
        y, x = torch.meshgrid(cells, cells, indexing='ij')
        levels.append(torch.stack([x, y, *torch.full((2, *x.shape), float(stride))], -1))
    return torch.cat([level.reshape(-1, 4) for level in levels])


def scene(seed: int, sizes: list[float]) -> tuple[InstanceData, InstanceData]:
    """Predictions around every prior, and boxes of the given sizes."""
    generator = torch.Generator().manual_seed(seed)
    points = priors()
    half = points[:, 2:] * (1 + 2 * torch.rand(len(points), 2, generator=generator))
    predictions = InstanceData(
        priors=points,
        bboxes=torch.cat([points[:, :2] - half, points[:, :2] + half], 1),
        scores=torch.rand(len(points), 2, generator=generator),
    )
    size = torch.tensor(sizes)
    ratio = 0.7 + 0.6 * torch.rand(len(sizes), generator=generator)
    whole = torch.stack([size * ratio, size / ratio], 1)
    centre = SIDE * (0.2 + 0.6 * torch.rand(len(sizes), 2, generator=generator))
    boxes = torch.cat([centre - whole / 2, centre + whole / 2], 1)
    labels = torch.randint(2, (len(sizes),), generator=generator)
    return predictions, InstanceData(bboxes=boxes, labels=labels)


@given(seed=st.integers(0, 10_000), size=st.floats(6, 110), max_cells=st.sampled_from([4.0, 8.0]))
def test_a_level_takes_no_box_that_is_too_large_for_it(
    seed: int, size: float, max_cells: float
) -> None:
    assume(all(abs(size - stride * max_cells) > 0.01 for stride in STRIDES))  # or rounding decides
    predictions, boxes = scene(seed, [size])
    found = SizedSimOTAAssigner(max_cells).assign(predictions, boxes).gt_inds > 0
    strides = predictions.priors[:, 2]
    fits = (strides == STRIDES[-1]) | (size <= strides * max_cells)
    valid, in_both = FastSimOTAAssigner().get_in_gt_and_in_center_info(
        predictions.priors, boxes.bboxes
    )
    candidates = torch.zeros_like(valid)
    candidates[valid] = in_both[:, 0]
    assert found.any()
    if not fits[found].all():  # only when none that fits is left
        assert found[candidates & fits].all()


@given(seed=st.integers(0, 10_000), sizes=st.lists(st.floats(6, 31.5), min_size=1, max_size=4))
def test_small_boxes_are_assigned_as_in_simota(seed: int, sizes: list[float]) -> None:
    predictions, boxes = scene(seed, sizes)
    ours = SizedSimOTAAssigner(8.0).assign(predictions, boxes)
    theirs = FastSimOTAAssigner().assign(predictions, boxes)
    assert torch.equal(ours.gt_inds, theirs.gt_inds)
    assert torch.equal(ours.max_overlaps, theirs.max_overlaps)


def test_large_boxes_are_not_lost() -> None:
    predictions, boxes = scene(0, [40.0])
    theirs = FastSimOTAAssigner().assign(predictions, boxes)
    assert 8 in predictions.priors[theirs.gt_inds > 0, 2], 'or this scene shows nothing'
    ours = SizedSimOTAAssigner(4.0).assign(predictions, boxes)
    assert set(predictions.priors[ours.gt_inds > 0, 2].tolist()) == {16.0}


@pytest.mark.parametrize('max_cells', [0, -1, float('nan')])
def test_limits_that_make_no_sense(max_cells: float) -> None:
    with pytest.raises(UserError, match='max_cells='):
        SizedSimOTAAssigner(max_cells)
