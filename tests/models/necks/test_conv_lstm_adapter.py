import copy

import pytest
import torch
from torch import nn

from abc_mmdet.errors import UserError
from abc_mmdet.models import ConvLSTMAdapter
from abc_mmdet.models.backbones.conv_lstm import ConvLSTM


def pyramid_of(batch: int, channels=(6, 8, 4)) -> tuple[torch.Tensor, ...]:
    return tuple(torch.randn(batch, c, 8 >> i, 12 >> i) for i, c in enumerate(channels))


def trained(**options) -> ConvLSTMAdapter:
    """One whose outputs are no longer zero."""
    adapter = ConvLSTMAdapter([6, 8, 4], **options)
    for output in adapter.outputs:
        nn.init.normal_(output.weight)
    return adapter


@pytest.mark.parametrize('init', [None, dict(type='Kaiming', layer='Conv2d')], ids=str)
def test_it_begins_without_effect(init: dict | None) -> None:
    adapter = ConvLSTMAdapter([6, 8, 4], init_cfg=init)
    adapter.init_weights()
    states = None
    for _ in range(3):
        x = pyramid_of(2)
        features, states = adapter(x, states)
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(features, x, strict=True))
        assert all(cell.abs().max() > 0 for _, cell in states), 'and remembers all the same'


@torch.no_grad()
def test_memory_is_added_level_by_level() -> None:
    adapter = trained(levels=[0, 2], hidden_channels=5)
    steps, states = [pyramid_of(2) for _ in range(3)], None
    for x in steps:
        features, states = adapter(x, states)
    assert torch.equal(features[1], x[1]), 'a level without memory stays'
    assert len(states) == adapter.num_states == 2
    for place, level in enumerate((0, 2)):
        lstm, state = adapter.lstms[place], None
        assert isinstance(lstm, ConvLSTM)
        for x in steps:
            state = lstm(adapter.inputs[place](x[level]), state)
        expected = x[level] + adapter.outputs[place](state[0])
        torch.testing.assert_close(features[level], expected)
        torch.testing.assert_close(states[place][1], state[1])
        assert state[1].shape == (2, 5, *x[level].shape[2:])


@torch.no_grad()
@pytest.mark.parametrize('elapsed', [None, 0.5], ids=['steps', 'time'])
def test_in_half_precision_it_remembers_the_same(elapsed: float | None) -> None:
    """float16 as exported, and what autocast makes of float32: within a hundredth of the range."""
    adapter = trained()
    half = copy.deepcopy(adapter).half()
    lengths = None if elapsed is None else torch.full((2,), elapsed)
    states = dict.fromkeys(('float32', 'float16', 'autocast'))
    for _ in range(5):
        x = pyramid_of(2)
        found = {}
        for name in states:
            run, given = (
                (half, [level.half() for level in x]) if name == 'float16' else (adapter, x)
            )
            with torch.autocast('cpu', torch.bfloat16, enabled=name == 'autocast'):
                found[name], states[name] = run(given, states[name], None, lengths)
        for name, bound in (('float16', 0.01), ('autocast', 0.05)):
            pairs = [*zip(found[name], found['float32'], strict=True)]
            pairs += [
                (ours, theirs)
                for one, other in zip(states[name], states['float32'], strict=True)
                for ours, theirs in zip(one, other, strict=True)
            ]
            for ours, theirs in pairs:
                assert (ours.float() - theirs).abs().max() < bound * theirs.abs().max()
    assert all(level.dtype == torch.float16 for level in found['float16'])


@torch.no_grad()
def test_several_steps_at_once_are_one_after_the_other() -> None:
    adapter = trained()
    x = pyramid_of(5)  # two streams of three and two steps
    features, last = adapter(x, None, [2, 2, 1])
    first, states = adapter(tuple(level[:2] for level in x))
    second, states = adapter(tuple(level[2:4] for level in x), states)
    third, after = adapter(tuple(level[4:] for level in x), [(h[:1], c[:1]) for h, c in states])
    for level, *parts in zip(features, first, second, third, strict=True):
        torch.testing.assert_close(level, torch.cat(parts))
    for ours, ended, running in zip(last, states, after, strict=True):
        torch.testing.assert_close(ours[1], torch.cat([running[1], ended[1][1:]]))


@torch.no_grad()
def test_finer_levels_that_exist_in_training_only_stay() -> None:
    adapter = trained()
    x = pyramid_of(1, (7, 6, 8, 4))
    features, states = adapter(x)
    alone, _ = adapter(x[1:])
    assert features[0] is x[0] and len(states) == 3
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(features[1:], alone, strict=True))


@torch.no_grad()
def test_lengths_of_steps_reach_the_memory() -> None:
    adapter, x = trained(), pyramid_of(2)
    same, _ = adapter(x, None, None, torch.ones(2))
    other, _ = adapter(x, None, None, torch.tensor([1.0, 0.1]))
    plain, _ = adapter(x)
    for level in range(3):
        torch.testing.assert_close(same[level], plain[level], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(other[level][0], plain[level][0], rtol=1e-4, atol=1e-5)
        assert (other[level][1] - plain[level][1]).abs().max() > 1e-3


def test_gradients_reach_everything_once_the_outputs_are_not_zero() -> None:
    adapter = ConvLSTMAdapter([6, 8, 4])
    optimizer = torch.optim.SGD(adapter.parameters(), lr=0.1)
    for step in range(2):
        features, _ = adapter(pyramid_of(4), None, [2, 2])
        optimizer.zero_grad()
        sum(level.square().sum() for level in features).backward()
        assert all(p.grad is not None for p in adapter.parameters()), 'for distributed training'
        moved = {n for n, p in adapter.named_parameters() if p.grad.abs().sum() > 0}
        if step == 0:
            assert moved == {n for n, _ in adapter.named_parameters() if n.startswith('outputs')}
        optimizer.step()
    assert moved == {n for n, _ in adapter.named_parameters()}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(levels=[3]), r'choose from \[0, 1, 2\]'),
        (dict(levels=[-1]), r'choose from \[0, 1, 2\]'),
        (dict(levels=[]), r'choose from \[0, 1, 2\]'),
        (dict(hidden_channels=0), 'hidden_channels=0: 1 or more'),
    ],
    ids=['too coarse', 'negative', 'none', 'no channels'],
)
def test_options_that_mean_nothing(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ConvLSTMAdapter([6, 8, 4], **options)


def test_other_pyramids_and_states_are_refused() -> None:
    adapter = trained()
    for channels in ((6, 8), (6, 4, 8)):
        with pytest.raises(UserError, match=r'in_channels=\[6, 8, 4\], but the pyramid has'):
            adapter(pyramid_of(1, channels))
    _, states = adapter(pyramid_of(2))
    with pytest.raises(UserError, match='states go on only with'):
        adapter(pyramid_of(3), states)
