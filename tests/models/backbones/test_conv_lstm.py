"""Steps of other lengths; the LSTM itself is compared with RVT's in test_maxvit_rnn.py."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.errors import UserError
from abc_mmdet.models import MaxViTRNN
from abc_mmdet.models.backbones.conv_lstm import ConvLSTM, gates_after


@given(st.floats(-8, 8), st.integers(1, 20))
def test_a_long_step_is_as_many_short_ones(logit: float, number: int) -> None:
    """By a plain loop in double precision."""
    gate = 1 / (1 + torch.tensor(-logit, dtype=torch.float64).exp().item())
    cell, entered = 1.0, 0.0
    for _ in range(number):
        cell, entered = gate * cell, gate * entered + 1.0
    kept, gain = gates_after(torch.full((1, 1, 1, 1), logit), torch.tensor([float(number)]))
    assert kept.item() == pytest.approx(cell, rel=1e-4, abs=1e-12)
    assert gain.item() == pytest.approx(entered, rel=1e-3)


def test_gates_that_are_open_or_closed_for_good_stay_finite() -> None:
    forget = torch.tensor([-1e4, -90.0, 90.0, 1e4]).view(1, 4, 1, 1).half()
    kept, gain = gates_after(forget, torch.tensor([0.2]))
    assert kept.isfinite().all() and gain.isfinite().all()
    assert gain.flatten().tolist() == pytest.approx([1, 1, 0.2, 0.2], rel=1e-2)


def lstm_with_constant_gates() -> ConvLSTM:
    """Its gates depend on the input alone."""
    lstm = ConvLSTM(3, forget_bias=1.0)
    with torch.no_grad():
        lstm.conv1x1.weight[:, 3:] = 0
    return lstm


@torch.no_grad()
@pytest.mark.parametrize('number', [2, 5, 10])
def test_a_still_input_gives_the_same_state_at_any_rate(number: int) -> None:
    lstm, x = lstm_with_constant_gates(), torch.randn(2, 3, 4, 5)
    state = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    expected = lstm(x, state)
    parts = torch.full((2 * number,), 1 / number)
    _, last = lstm.unroll(x.repeat(number, 1, 1, 1), state, [2] * number, parts)
    for ours, theirs in zip(last, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    _, unaware = lstm.unroll(x.repeat(number, 1, 1, 1), state, [2] * number)
    assert (unaware[1] - expected[1]).abs().max() > 0.05, 'without the lengths it is another one'


@torch.no_grad()
def test_each_row_has_its_own_length() -> None:
    lstm, x = ConvLSTM(3, dws_conv=True), torch.randn(5, 3, 4, 5)
    elapsed = torch.tensor([1.0, 0.5, 2.0, 0.1, 3.0])
    outputs, last = lstm.unroll(x, None, [3, 2], elapsed)
    for row, second in ((0, 3), (1, 4), (2, None)):
        h, state = [], None
        for i in (row, second):
            if i is not None:
                state = lstm(x[i : i + 1], state, elapsed[i : i + 1])
                h.append((i, state[0]))
        for i, hidden in h:
            torch.testing.assert_close(outputs[i : i + 1], hidden)
        torch.testing.assert_close(last[1][row : row + 1], state[1])


@torch.no_grad()
def test_steps_of_the_usual_length_are_the_usual_ones() -> None:
    model = MaxViTRNN(arch=dict(embed_dim=8, dim_head=8), in_channels=4, partition_split=1).eval()
    x = torch.rand(4, 4, 32, 32)
    expected, states = model(x, None, [2, 2])
    features, after = model(x, None, [2, 2], torch.ones(4))
    for ours, theirs in zip((*features, *after[3]), (*expected, *states[3]), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    features, _ = model(x, None, [2, 2], torch.full((4,), 0.5))
    assert (features[0] - expected[0]).abs().max() > 1e-3


def test_memory_of_many_lengths_at_first() -> None:
    """After T steps without input a channel of T steps has 1 / e left, and it is as full as any."""
    lstm = ConvLSTM(8, memory_steps=64)
    forget, enter = lstm.conv1x1.bias.detach().sigmoid()[:16].split(8)
    torch.testing.assert_close(forget + enter, torch.ones(8))
    steps = 1 / (1 - forget)
    assert steps[0] == pytest.approx(2) and steps[-1] == pytest.approx(64, rel=1e-4)
    ratios = steps[1:] / steps[:-1]
    torch.testing.assert_close(ratios, ratios[:1].expand(7), rtol=1e-4, atol=0)
    assert forget[-1] ** 64 == pytest.approx(math.exp(-1), abs=0.01)


@pytest.mark.parametrize('steps', [1.5, float('nan')])
def test_too_short_a_memory_is_refused(steps: float) -> None:
    with pytest.raises(UserError, match=r'memory_steps=.*2 or more'):
        ConvLSTM(4, memory_steps=steps)
