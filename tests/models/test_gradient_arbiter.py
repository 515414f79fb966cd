"""Gradients that meet in one backward pass, against two separate ones joined by hand."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from abc_mmdet.errors import UserError
from abc_mmdet.models import GradientArbiter

MODES = ('sum', 'detach', 'gate', 'main_first', 'pcgrad')
PERS = ('level', 'image', 'location')
EVERY_WAY = [(mode, per) for mode in MODES for per in PERS]


class TwoTasks(nn.Module):
    """A pyramid of strides 4, 8, 16; the main task sees the last two, the auxiliary the first."""

    def __init__(self, mode: str, per: str, aux_weight: float = 1.0) -> None:
        super().__init__()
        self.neck = nn.ModuleList(nn.Conv2d(3, 4, 3, padding=1) for _ in range(3))
        self.main = nn.ModuleList(nn.Conv2d(4, 2, 1) for _ in range(2))
        self.aux = nn.ModuleList(nn.Conv2d(4, 2, 1) for _ in range(2))
        self.arbiter = GradientArbiter((8, 16), (4, 8), mode, per)
        self.aux_weight = aux_weight

    def pyramid(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(conv(x[..., :: 2**i, :: 2**i]).tanh() for i, conv in enumerate(self.neck))

    def task_losses(self, main: tuple[Tensor, ...], aux: tuple[Tensor, ...]) -> tuple:
        main_loss = sum((c(f).tanh() ** 2).mean() for c, f in zip(self.main, main, strict=True))
        aux_loss = sum((c(f).sigmoid()).mean() for c, f in zip(self.aux, aux, strict=True))
        return main_loss, self.aux_weight * aux_loss

    def heads(self, *levels: Tensor) -> Tensor:
        return sum(self.task_losses(*self.arbiter(levels[1:], levels[:2])))

    def forward(self, x: Tensor) -> Tensor:
        return self.heads(*self.pyramid(x))


def unit_slices(shape: tuple[int, ...], per: str) -> list[tuple]:
    """Indices of the parts of ``(B, C, H, W)`` that are decided upon one by one."""
    images, _, height, width = shape
    return {
        'level': [(...,)],
        'image': [(i,) for i in range(images)],
        'location': [
            (i, slice(None), y, x)
            for i in range(images)
            for y in range(height)
            for x in range(width)
        ],
    }[per]


def joined_by_hand(mode: str, per: str, main: np.ndarray, aux: np.ndarray) -> np.ndarray:
    """What the papers say, vector by vector in float64."""
    joined = np.zeros(main.shape)
    for unit in unit_slices(main.shape, per):
        g, a = main[unit].astype(np.float64), aux[unit].astype(np.float64)
        inner, own_main, own_aux = np.sum(g * a), g, a
        if mode == 'detach' or (mode == 'gate' and inner < 0):
            own_aux = 0 * a
        elif inner < 0 and mode in ('main_first', 'pcgrad'):
            own_aux = a - inner / np.sum(g * g) * g
            if mode == 'pcgrad':
                own_main = g - inner / np.sum(a * a) * a
        joined[unit] = own_main + own_aux
    return joined


def report_by_hand(per: str, main: np.ndarray, aux: np.ndarray) -> dict[str, float]:
    main, aux = main.astype(np.float64), aux.astype(np.float64)
    norms = np.linalg.norm(main), np.linalg.norm(aux)
    inner = [np.sum(main[unit] * aux[unit]) for unit in unit_slices(main.shape, per)]
    return {
        'conflict/s8_cosine': np.sum(main * aux) / (norms[0] * norms[1]),
        'conflict/s8_norm_ratio': norms[1] / norms[0],
        f'conflict/s8_{per}_rate': np.mean([value < 0 for value in inner]),
    }


def meet(arbiter: GradientArbiter, main: Tensor, aux: Tensor) -> Tensor:
    """What becomes of two given gradients on one shared level."""
    level = torch.zeros_like(main, requires_grad=True)
    (for_main,), (for_aux,) = arbiter([level], [level])
    torch.autograd.backward([for_main, for_aux], [main, aux])
    return level.grad


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_gradients_agree(actual: dict, expected: dict, **tolerance: float) -> None:
    assert set(actual) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, **tolerance)


def assert_reports_agree(actual: dict, expected: dict) -> None:
    assert set(actual) == set(expected)
    for name, value in expected.items():
        assert float(actual[name]) == pytest.approx(float(value), rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize(('mode', 'per'), EVERY_WAY)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1), aux_weight=st.sampled_from([0.01, 0.25, 2.0, 50.0]))
def test_one_backward_pass_gives_what_two_give(mode, per, seed, aux_weight) -> None:
    torch.manual_seed(seed)
    model, x = TwoTasks(mode, per, aux_weight), torch.randn(2, 3, 8, 8)
    model(x).backward()
    actual, report = gradients(model), model.arbiter.report()

    model.zero_grad()
    levels = model.pyramid(x)
    losses = model.task_losses(levels[1:], levels[:2])
    main, aux = (
        torch.autograd.grad(loss, levels, retain_graph=True, materialize_grads=True)
        for loss in losses
    )
    heads = [*model.main.parameters(), *model.aux.parameters()]
    sum(losses).backward(retain_graph=True, inputs=heads)
    shared = joined_by_hand(mode, per, main[1].numpy(), aux[1].numpy())
    joined = (aux[0] * (mode != 'detach'), torch.as_tensor(shared, dtype=torch.float32), main[2])
    torch.autograd.backward(levels, joined)
    assert_gradients_agree(actual, gradients(model), rtol=1e-3, atol=1e-6 * (1 + aux_weight))
    assert_reports_agree(report, report_by_hand(per, main[1].numpy(), aux[1].numpy()))


@pytest.mark.parametrize(('mode', 'per'), EVERY_WAY)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1), power=st.integers(-20, 20))
def test_a_power_of_two_before_is_one_after(mode: str, per: str, seed: int, power: int) -> None:
    """Whatever scale mixed precision chooses, the decision is the same."""
    torch.manual_seed(seed)
    arbiter = GradientArbiter((8,), (8,), mode, per)
    main, aux = torch.randn(2, 2, 3, 4, 4).unbind()
    plain, report = meet(arbiter, main, aux), arbiter.report()
    scaled, same = meet(arbiter, main * 2.0**power, aux * 2.0**power), arbiter.report()
    torch.testing.assert_close(scaled, plain * 2.0**power, rtol=1e-6, atol=0)
    assert_reports_agree(same, report)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(('mode', 'per'), EVERY_WAY)
def test_half_precision_is_compared_in_single(mode: str, per: str, dtype: torch.dtype) -> None:
    """Products of these would overflow in float16, and sums of them lose their sign."""
    arbiter = GradientArbiter((8,), (8,), mode, per)
    main, aux = (4000 * torch.randn(2, 3, 8, 4, 4)).to(dtype).unbind()
    actual = meet(arbiter, main, aux)
    assert actual.dtype == dtype
    wide = main.float().numpy(), aux.float().numpy()
    expected = torch.as_tensor(joined_by_hand(mode, per, *wide), dtype=torch.float32)
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(actual.float(), expected, rtol=2 * eps, atol=4000 * eps)
    assert_reports_agree(arbiter.report(), report_by_hand(per, *wide))


@pytest.mark.parametrize('bad', [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize('task', ['main', 'aux'])
@pytest.mark.parametrize(('mode', 'per'), EVERY_WAY)
def test_what_is_not_finite_reaches_the_loss_scaler(mode, per, task, bad) -> None:
    arbiter = GradientArbiter((8,), (8,), mode, per)
    main, aux = torch.randn(2, 1, 3, 2, 2).unbind()
    (main if task == 'main' else aux)[0, 0, 0, 0] = bad
    assert meet(arbiter, main, aux).isfinite().all() == (mode == 'detach' and task == 'aux')
    assert all(value.isfinite() for value in arbiter.report().values())


@pytest.mark.parametrize('mode', ['main_first', 'pcgrad'])
def test_a_gradient_too_small_to_be_squared_does_no_harm(mode: str) -> None:
    arbiter = GradientArbiter((8,), (8,), mode)
    main, aux = torch.full((1, 3, 2, 2), 1e-25), torch.full((1, 3, 2, 2), -1e5)
    for pair in ((main, aux), (aux, main)):
        assert (meet(arbiter, *pair).abs() <= 1.001e5).all()


@pytest.mark.parametrize('mode', ['main_first', 'pcgrad'])
def test_gradients_too_large_to_be_squared_are_added(mode: str) -> None:
    main = 1e25 * torch.randn(1, 3, 2, 2)
    assert torch.equal(meet(GradientArbiter((8,), (8,), mode), main, -0.5 * main), 0.5 * main)


def test_only_units_where_both_tasks_learn_count() -> None:
    arbiter = GradientArbiter((8,), (8,), per='image')
    main = torch.randn(4, 3, 2, 2)
    meet(arbiter, main, main * torch.tensor([0.0, 0.0, 1.0, -1.0]).view(4, 1, 1, 1))
    assert arbiter.report()['conflict/s8_image_rate'] == 0.5


@pytest.mark.parametrize('mode', MODES)
def test_an_auxiliary_weight_of_zero(mode: str) -> None:
    model, x = TwoTasks(mode, 'location', aux_weight=0.0), torch.randn(1, 3, 8, 8)
    model(x).backward()
    assert model.arbiter.report() == {
        'conflict/s8_cosine': 0.0,
        'conflict/s8_norm_ratio': 0.0,
        'conflict/s8_location_rate': 0.0,
    }
    actual = gradients(model)
    model.zero_grad()
    model.task_losses(model.pyramid(x)[1:], model.pyramid(x)[:2])[0].backward()
    for name, value in gradients(model).items():  # of all but the auxiliary head
        torch.testing.assert_close(actual[name], value)


def test_detach_keeps_every_parameter_in_use() -> None:
    model = TwoTasks('detach', 'image')
    model(torch.randn(1, 3, 8, 8)).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert not model.neck[0].weight.grad.any(), 'only the auxiliary task sees this level'
    assert model.neck[1].weight.grad.any()
    assert all(conv.weight.grad.any() for conv in model.aux)


def test_the_report_is_of_the_passes_since_the_last() -> None:
    arbiter = GradientArbiter((8,), (8,))
    assert arbiter.report() == {}
    first, second = torch.randn(2, 2, 1, 3, 2, 2).unbind()
    meet(arbiter, *first), meet(arbiter, *second)
    together = torch.cat([first, second], dim=1).numpy()
    assert_reports_agree(arbiter.report(), report_by_hand('image', *together))
    assert arbiter.report() == {}


def test_nothing_is_measured_where_no_feature_learns() -> None:
    model = TwoTasks('pcgrad', 'image')
    model.neck.requires_grad_(False)
    model(torch.randn(1, 3, 8, 8)).backward()
    assert model.arbiter.report() == {}
    assert model.main[0].weight.grad.any()


def test_heads_without_a_common_level() -> None:
    arbiter = GradientArbiter((8,), (4,), 'pcgrad')
    coarse, fine = torch.randn(2, 1, 3, 2, 2, requires_grad=True).unbind()
    (for_main,), (for_aux,) = arbiter([coarse], [fine])
    assert for_main is coarse and for_aux is fine
    assert arbiter.report() == {}


@pytest.mark.parametrize('around', ['heads', 'everything', 'pyramid'])
@pytest.mark.parametrize('reentrant', [False, True])
@pytest.mark.parametrize('mode', MODES)
def test_activation_checkpointing(mode: str, reentrant: bool, around: str) -> None:
    model, x = TwoTasks(mode, 'location'), torch.randn(2, 3, 8, 8, requires_grad=True)
    for _ in range(2):
        model.zero_grad()
        model(x).backward()
        expected, report = gradients(model), model.arbiter.report()
        model.zero_grad()
        if around == 'everything':
            loss = checkpoint(model, x, use_reentrant=reentrant)
        elif around == 'heads':
            loss = checkpoint(model.heads, *model.pyramid(x), use_reentrant=reentrant)
        else:
            loss = model.heads(*checkpoint(model.pyramid, x, use_reentrant=reentrant))
        loss.backward()
        assert_gradients_agree(gradients(model), expected, rtol=0, atol=0)
        assert model.arbiter.report() == report


class InParts(TwoTasks):
    """A graph break on either side of the arbiter, as MMDetection's losses bring them."""

    def forward(self, x: Tensor) -> Tensor:
        levels = self.pyramid(x)
        main, aux = self.arbiter(levels[1:], levels[:2])
        self.reported = self.arbiter.report()
        return sum(self.task_losses(main, aux))


@pytest.mark.parametrize(
    ('kind', 'backend'),
    [
        (InParts, 'aot_eager'),
        pytest.param(TwoTasks, 'aot_eager', marks=pytest.mark.slow),
        pytest.param(InParts, 'inductor', marks=pytest.mark.slow),
        pytest.param(TwoTasks, 'inductor', marks=pytest.mark.slow),
    ],
)
def test_compiled(kind: type[TwoTasks], backend: str) -> None:
    for mode in ('detach', 'pcgrad'):
        torch._dynamo.reset()
        model = kind(mode, 'location')
        compiled = torch.compile(model, backend=backend)
        for _ in range(3):
            x = torch.randn(2, 3, 8, 8)
            model.zero_grad()
            model(x).backward()
            expected, report = gradients(model), model.arbiter.report()
            model.zero_grad()
            compiled(x).backward()
            assert_gradients_agree(gradients(model), expected, rtol=1e-4, atol=1e-6)
            assert_reports_agree(model.arbiter.report(), report)


def test_nothing_is_waited_for() -> None:
    """Tensors on the meta device have no values that a host could ask for."""
    for mode, per in EVERY_WAY:
        model = TwoTasks(mode, per).to('meta')
        model(torch.randn(2, 3, 8, 8, device='meta')).backward()
        assert model.neck[1].weight.grad.device.type == 'meta'
        assert model.arbiter.report()['conflict/s8_cosine'].device.type == 'meta'


def test_the_probe_belongs_to_nobody() -> None:
    model = TwoTasks('sum', 'image')
    assert not list(model.arbiter.parameters())
    assert not list(model.arbiter.buffers())
    assert not any('arbiter' in name for name in model.state_dict())
    model(torch.randn(1, 3, 8, 8)).backward()
    other = copy.deepcopy(model)  # as averaging weights does
    other.zero_grad()
    assert model.arbiter.report() == other.arbiter.report() != {}
    other(torch.randn(1, 3, 8, 8)).backward()
    assert model.arbiter.report() == {}, 'the copy has a probe of its own'
    assert other.arbiter.report() != {}
    assert model.half().arbiter.probe.dtype == torch.float32


@pytest.mark.parametrize('field', ['mode', 'per'])
def test_unknown_options_are_refused(field: str) -> None:
    with pytest.raises(UserError, match=f"{field}='pixel' is unknown; use one of"):
        GradientArbiter((8,), (8,), **{field: 'pixel'})
