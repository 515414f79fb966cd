import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.errors import UserError
from abc_mmdet.models.wasserstein import NWDConstant, aligned_nwd, nwd_constants, pairwise_nwd
from mmdet.registry import MODELS

BOX = st.tuples(
    st.floats(-50, 500), st.floats(-50, 500), st.floats(0.01, 300), st.floats(0.01, 300)
)


def root(matrix: np.ndarray) -> np.ndarray:
    """Square root of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(np.sqrt(values)) @ vectors.T


def by_definition(box: tuple, other: tuple, constant: float) -> float:
    """exp(-W/C) with the 2-Wasserstein distance of any two Gaussians; boxes as x, y, w, h."""
    means = [np.array([x + w / 2, y + h / 2]) for x, y, w, h in (box, other)]
    first, second = (np.diag([w**2 / 4, h**2 / 4]) for _, _, w, h in (box, other))
    mixed = root(root(first) @ second @ root(first))
    squared = ((means[0] - means[1]) ** 2).sum() + np.trace(first + second - 2 * mixed)
    return float(np.exp(-np.sqrt(max(squared, 0)) / constant))


def corners(boxes: list[tuple], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor([[x, y, x + w, y + h] for x, y, w, h in boxes], dtype=dtype).reshape(-1, 4)


@given(
    boxes=st.lists(BOX, max_size=4),
    others=st.lists(BOX, max_size=4),
    constant=st.floats(1, 100),
)
def test_equals_the_distance_of_the_gaussians(boxes, others, constant) -> None:
    # The definition takes small differences of large squares, and then a root.
    expected = [[by_definition(a, b, constant) for b in others] for a in boxes]
    expected = np.array(expected).reshape(len(boxes), len(others))
    pairwise = pairwise_nwd(corners(boxes), corners(others), constant)
    np.testing.assert_allclose(pairwise, expected, atol=2e-5)
    paired = list(zip(boxes, others, strict=False))
    aligned = aligned_nwd(
        corners([a for a, _ in paired]), corners([b for _, b in paired]), constant
    )
    np.testing.assert_allclose(aligned, expected.diagonal(), atol=2e-5)
    assert torch.equal(pairwise.t(), pairwise_nwd(corners(others), corners(boxes), constant))


@given(box=BOX, shift=st.tuples(st.floats(-9, 9), st.floats(-9, 9)), constant=st.floats(1, 50))
def test_shift_counts_the_same_at_any_size(box, shift, constant) -> None:
    x, y, w, h = box
    moved = (x + shift[0], y + shift[1], w, h)
    expected = np.exp(-np.hypot(*shift) / constant)
    found = aligned_nwd(corners([box]), corners([moved]), constant).item()
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    'pair',
    [
        ((5, 5, 9, 9), (5, 5, 9, 9)),  # equal
        ((5, 5, 5, 5), (5, 5, 5, 5)),  # equal, without an area
        ((5, 5, 5, 9), (4, 5, 4, 9)),  # without width
        ((9, 9, 5, 5), (5, 5, 9, 9)),  # corners in the wrong order
        ((0, 0, 1e-20, 1e-20), (0, 0, 0, 0)),  # squares vanish
        ((0, 0, 1e25, 1e25), (5, 5, 9, 9)),  # squares overflow
    ],
)
def test_gradients_are_finite(pair: tuple) -> None:
    pred = torch.tensor([pair[0]], dtype=torch.float32, requires_grad=True)
    value = aligned_nwd(pred, torch.tensor([pair[1]], dtype=torch.float32), 12.0)
    value.sum().backward()
    assert 0 <= value.item() <= 1
    assert pred.grad.isfinite().all()
    if pair[0] == pair[1]:
        assert value.item() == 1


def test_gradient_brings_boxes_together_that_do_not_overlap() -> None:
    pred = torch.tensor([[0.0, 0.0, 4.0, 4.0]], requires_grad=True)
    target = torch.tensor([[10.0, 10.0, 14.0, 14.0]])
    aligned_nwd(pred, target, 10.0).sum().backward()
    assert (pred.grad > 0).all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_does_not_overflow(cpu_autocast, dtype: torch.dtype) -> None:
    boxes = torch.tensor([[0, 0, 1000, 700], [1000, 600, 1016, 616]], dtype=dtype)
    others = torch.tensor([[1024, 600, 1040, 616]], dtype=dtype)
    expected = pairwise_nwd(boxes.double(), others.double(), 20.0)
    found = pairwise_nwd(boxes, others, 20.0)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)
    with cpu_autocast(dtype):
        assert aligned_nwd(boxes[1:], others, 20.0).item() == pytest.approx(expected[1].item())


def test_constants_of_a_model_are_found() -> None:
    nwd = dict(type='NWDOverlaps2D')
    assigner = dict(assigner=dict(type='FastSimOTAAssigner', iou_calculator=nwd))
    yolox = dict(in_channels=4, feat_channels=4)
    head = MODELS.build(
        dict(
            type='ABCHead',
            classes=('car', 'person'),
            small_classes='all',
            main_head=dict(
                type='YOLOXHead',
                loss_bbox=dict(
                    type='SizeAwareIoULoss', iou_loss=dict(type='NWDBlendLoss', constant=20.0)
                ),
                **yolox,
            ),
            aux_head=dict(type='AuxSmallObjectHead', train_cfg=assigner, **yolox),
            train_cfg=dict(assigner=dict(type='SimOTAAssigner')),
        )
    )
    found = {name: constant.is_fixed for name, constant in nwd_constants(head)}
    assert found == {'main_head.loss_bbox.iou_loss': True, 'aux_head': False}


def test_unknown_and_impossible_constants() -> None:
    with pytest.raises(UserError, match='NWDConstantHook'):
        NWDConstant(None).known()
    for value in (0, -3.0, float('nan')):
        with pytest.raises(UserError, match='positive size'):
            NWDConstant(value)
