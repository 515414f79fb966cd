import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.structures import InstanceData

from abc_mmdet.errors import UserError
from abc_mmdet.models.task_modules import FastSimOTAAssigner, MinPositivesSimOTAAssigner
from mmdet.models.task_modules import MlvlPointGenerator
from mmdet.registry import TASK_UTILS

SIZES = [(16, 16), (8, 8), (4, 4)]


def scene(boxes: list[tuple[float, ...]], seed: int = 0) -> tuple[InstanceData, InstanceData]:
    """Predictions of strides 8, 16, 32 on 128 x 128 px that are wrong everywhere, and boxes."""
    generator = torch.Generator().manual_seed(seed)
    priors = torch.cat(
        MlvlPointGenerator([8, 16, 32], offset=0).grid_priors(SIZES, device='cpu', with_stride=True)
    )
    sides = torch.rand(len(priors), 2, generator=generator) * 60 + 1
    predicted = torch.cat([priors[:, :2] - sides, priors[:, :2] + sides], dim=1)
    scores = torch.rand(len(priors), 3, generator=generator)
    truth = InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4), labels=torch.arange(len(boxes)) % 3
    )
    return InstanceData(priors=priors, bboxes=predicted, scores=scores), truth


def positives(assigner: FastSimOTAAssigner, *scene_: InstanceData) -> list[int]:
    indices = assigner.assign(*scene_).gt_inds
    return [int((indices == i + 1).sum()) for i in range(len(scene_[1]))]


def test_small_boxes_have_at_least_so_many_positives() -> None:
    parts = scene([(20.0, 20, 30, 32), (60, 60, 77, 77), (90, 20, 126, 50)])
    usual = positives(FastSimOTAAssigner(), *parts)
    ours = positives(MinPositivesSimOTAAssigner(min_positives=4, max_side=16), *parts)
    assert usual[0] < 4 and usual[1] < 4, 'or there would be nothing to see'
    assert ours[0] == 4 and ours[1] == usual[1], 'sides 11 and 17'
    assert ours[2] == usual[2]


@given(
    st.lists(st.tuples(*[st.floats(0, 90), st.floats(0, 90), st.floats(2, 36)]), max_size=5),
    st.integers(0, 99),
)
def test_without_a_minimum_it_is_simota(boxes: list[tuple[float, float, float]], seed: int) -> None:
    parts = scene([(x, y, x + side, y + side) for x, y, side in boxes], seed)
    usual = FastSimOTAAssigner().assign(*parts)
    ours = MinPositivesSimOTAAssigner(min_positives=1).assign(*parts)
    assert torch.equal(usual.gt_inds, ours.gt_inds) and torch.equal(usual.labels, ours.labels)


def test_more_than_there_are_candidates() -> None:
    parts = scene([(20.0, 20, 30, 30)])
    assert positives(MinPositivesSimOTAAssigner(min_positives=50), *parts) == [10]


def test_from_the_registry_and_wrong_options() -> None:
    built = TASK_UTILS.build(dict(type='MinPositivesSimOTAAssigner', center_radius=4.0))
    assert (built.center_radius, built.min_positives) == (4.0, 4)
    with pytest.raises(UserError, match='min_positives=0'):
        MinPositivesSimOTAAssigner(min_positives=0)
