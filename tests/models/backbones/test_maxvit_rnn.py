import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from abc_mmdet.errors import UserError
from abc_mmdet.models.backbones import MaxViTRNN
from mmdet.registry import MODELS

NARROW = dict(embed_dim=8, dim_head=4)


def build(**options: object) -> MaxViTRNN:
    """A backbone whose every parameter matters: none is at its first value of 0, 1 or 1e-5."""
    torch.manual_seed(0)
    model = MODELS.build(dict(type='MaxViTRNN', in_channels=3, **options))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith('gamma') or '.norm' in name:
                parameter.uniform_(0.5, 1.5)
            elif name.endswith('bias'):
                parameter.uniform_(-0.5, 0.5)
    return model


class Reference:
    """RVT written down window by window, head by head and gate by gate."""

    def __init__(self, weights: dict[str, Tensor], dim_head: int, split: int) -> None:
        self.weights, self.dim_head, self.split = weights, dim_head, split

    def __call__(
        self, x: Tensor, states: list | None = None
    ) -> tuple[list[Tensor], list[tuple[Tensor, Tensor] | None]]:
        multiple = 32 * self.split
        height, width = (math.ceil(size / multiple) * multiple for size in x.shape[-2:])
        padded = torch.zeros(*x.shape[:2], height, width)
        padded[:, :, : x.shape[2], : x.shape[3]] = x
        partition = (height // multiple, width // multiple)
        x, features, after = padded, [], []
        for i in range(4):
            x, state = self.stage(f'stages.{i}.', x, states and states[i], partition)
            features.append(x)
            after.append(state)
        return features, after

    def stage(self, name: str, x: Tensor, state: tuple | None, partition: tuple) -> tuple:
        kernel = self.weights[f'{name}downsample_cf2cl.conv.weight']
        stride = {7: 4, 3: 2}[kernel.shape[-1]]
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2).permute(0, 2, 3, 1)
        x = self.layer_norm(f'{name}downsample_cf2cl.norm', x)
        block = 0
        while f'{name}att_blocks.{block}.att_grid.ls1.gamma' in self.weights:
            for kind in ('att_window', 'att_grid'):
                x = self.attention_and_mlp(f'{name}att_blocks.{block}.{kind}.', x, partition)
            block += 1
        x = x.permute(0, 3, 1, 2)
        if f'{name}lstm.conv1x1.weight' not in self.weights:
            return x, None
        return self.lstm(f'{name}lstm.', x, state)

    def attention_and_mlp(self, name: str, x: Tensor, partition: tuple) -> Tensor:
        first = '.att_blocks.0.att_window.' in name
        y = x if first else self.layer_norm(f'{name}norm1', x)
        y = self.attention(name, y, partition)
        x = x + self.weights[f'{name}ls1.gamma'] * y
        y = self.layer_norm(f'{name}norm2', x)
        y = self.linear(f'{name}mlp.net.0.0', y)
        y = y * 0.5 * (1 + torch.erf(y / math.sqrt(2)))
        return x + self.weights[f'{name}ls2.gamma'] * self.linear(f'{name}mlp.net.2', y)

    def attention(self, name: str, x: Tensor, partition: tuple) -> Tensor:
        batch, height, width, _ = x.shape
        ph, pw = partition
        rows, columns = height // ph, width // pw
        out = torch.zeros_like(x)
        for b in range(batch):
            for r in range(rows):
                for c in range(columns):
                    if 'att_window' in name:
                        part = (b, slice(r * ph, r * ph + ph), slice(c * pw, c * pw + pw))
                    else:
                        part = (b, slice(r, None, rows), slice(c, None, columns))
                    tokens = x[part]
                    out[part] = self.heads(name, tokens.reshape(ph * pw, -1)).view(tokens.shape)
        return out

    def heads(self, name: str, tokens: Tensor) -> Tensor:
        d = self.dim_head
        mixed = self.linear(f'{name}self_attn.qkv', tokens)
        of_heads = []
        for first in range(0, mixed.shape[1], 3 * d):
            q, k, v = (mixed[:, first + j * d : first + j * d + d] for j in range(3))
            score = (q @ k.T / math.sqrt(d)).exp()
            of_heads.append(score / score.sum(1, keepdim=True) @ v)
        return self.linear(f'{name}self_attn.proj', torch.cat(of_heads, 1))

    def lstm(self, name: str, x: Tensor, state: tuple | None) -> tuple:
        h, c = state or (torch.zeros_like(x), torch.zeros_like(x))
        if f'{name}conv3x3_dws.weight' in self.weights:
            kernel, bias = (
                self.weights[f'{name}conv3x3_dws.{kind}'] for kind in ('weight', 'bias')
            )
            h = torch.cat(
                [
                    F.conv2d(h[:, i : i + 1], kernel[i : i + 1], bias[i : i + 1], padding=1)
                    for i in range(h.shape[1])
                ],
                dim=1,
            )
        kernel, bias = (self.weights[f'{name}conv1x1.{kind}'] for kind in ('weight', 'bias'))
        dim = x.shape[1]
        mix = torch.einsum('oi,bihw->bohw', kernel[:, :, 0, 0], torch.cat([x, h], 1))
        mix = mix + bias[None, :, None, None]
        forget = 1 / (1 + (-mix[:, :dim]).exp())
        enter = 1 / (1 + (-mix[:, dim : 2 * dim]).exp())
        leave = 1 / (1 + (-mix[:, 2 * dim : 3 * dim]).exp())
        c = forget * c + enter * torch.tanh(mix[:, 3 * dim :])
        h = leave * torch.tanh(c)
        return h, (h, c)

    def linear(self, name: str, x: Tensor) -> Tensor:
        return x @ self.weights[f'{name}.weight'].T + self.weights[f'{name}.bias']

    def layer_norm(self, name: str, x: Tensor) -> Tensor:
        mean = x.mean(-1, keepdim=True)
        variance = ((x - mean) ** 2).mean(-1, keepdim=True)
        normed = (x - mean) / (variance + 1e-5).sqrt()
        return normed * self.weights[f'{name}.weight'] + self.weights[f'{name}.bias']


def difference(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).detach().norm() / b.detach().norm())


@pytest.mark.parametrize(
    ('options', 'dim_head', 'size'),
    [
        (dict(arch='base'), 32, (64, 64)),
        (dict(arch='small'), 24, (64, 128)),
        (dict(arch='tiny', partition_split=1), 32, (64, 96)),
        (dict(arch=NARROW), 4, (64, 128)),
        (dict(arch=NARROW, partition_split=2), 4, (90, 130)),
        (dict(arch=NARROW, partition_split=3), 4, (96, 96)),
        (dict(arch=NARROW, partition_split=1, lstm_dws_conv=True), 4, (33, 64)),
        (dict(arch=NARROW, partition_split=1, recurrent=False), 4, (64, 96)),
        (dict(arch=NARROW, num_blocks=(1, 2, 1, 3), mlp_ratio=2), 4, (64, 64)),
    ],
)
def test_is_rvt(options: dict, dim_head: int, size: tuple[int, int]) -> None:
    """Two steps, the state handed on; features and states of all stages."""
    model = build(**options).eval()
    reference = Reference(model.state_dict(), dim_head, options.get('partition_split', 2))
    states = expected_states = None
    with torch.no_grad():
        for step in range(2):
            x = torch.randn(2, 3, *size)
            features, states = model(x, states)
            expected, expected_states = reference(x, expected_states)
            for stage in range(4):
                assert difference(features[stage], expected[stage]) < 1e-5, (step, stage)
                if options.get('recurrent', True):
                    for ours, theirs in zip(states[stage], expected_states[stage], strict=True):
                        assert difference(ours, theirs) < 1e-5, (step, stage)
                else:
                    assert states[stage] is None


def test_parameter_names_are_those_of_rvt() -> None:
    names = set(build(arch=NARROW, lstm_dws_conv=True).state_dict())
    expected = set()
    for i in range(4):
        stage = f'stages.{i}.'
        expected |= {f'{stage}downsample_cf2cl.conv.weight'}
        both = ['downsample_cf2cl.norm', 'lstm.conv1x1', 'lstm.conv3x3_dws']
        for kind in ('att_window', 'att_grid'):
            attention = f'att_blocks.0.{kind}.'
            expected |= {f'{stage}{attention}{ls}.gamma' for ls in ('ls1', 'ls2')}
            parts = ['norm2', 'self_attn.qkv', 'self_attn.proj', 'mlp.net.0.0', 'mlp.net.2']
            parts += ['norm1'] if kind == 'att_grid' else []
            both += [attention + part for part in parts]
        expected |= {f'{stage}{part}.{kind}' for part in both for kind in ('weight', 'bias')}
    assert names == expected


def test_sizes_and_first_values_are_those_of_rvt() -> None:
    model = MaxViTRNN()
    features, _ = model.eval()(torch.zeros(1, 20, 64, 64))
    assert [tuple(f.shape[1:]) for f in features] == [
        (64, 16, 16),
        (128, 8, 8),
        (256, 4, 4),
        (512, 2, 2),
    ]
    gammas = [p for name, p in model.named_parameters() if name.endswith('gamma')]
    assert len(gammas) == 16 and all(bool((p == 1e-5).all()) for p in gammas)


def test_explicit_partition_is_the_derived_one() -> None:
    derived = build(arch=NARROW).eval()
    explicit = build(arch=NARROW, partition_size=(1, 2)).eval()  # 64x128 by 32 * 2
    other = build(arch=NARROW, partition_size=(2, 4)).eval()
    x = torch.randn(1, 3, 64, 128)
    for a, b, c in zip(derived(x)[0], explicit(x)[0], other(x)[0], strict=True):
        assert torch.equal(a, b)
        assert not torch.allclose(a, c)


def test_out_indices_and_all_states() -> None:
    x = torch.randint(0, 9, (2, 3, 64, 64), dtype=torch.uint8)
    everything, _ = build(arch=NARROW).eval()(x)
    some, states = build(arch=NARROW, out_indices=(1, 3)).eval()(x)
    assert torch.equal(some[0], everything[1]) and torch.equal(some[1], everything[3])
    assert len(states) == 4
    for (h, c), feature in zip(states, everything, strict=True):
        assert torch.equal(h, feature) and c.shape == h.shape


def test_stages_that_nobody_asks_for_are_not_there() -> None:
    x, everything = torch.randn(2, 3, 64, 128), build(arch=NARROW).eval()
    shorter = build(arch=NARROW, out_indices=(1, 2)).eval()
    missing, left = shorter.load_state_dict(everything.state_dict(), strict=False)
    assert missing == [] and {name.split('.')[1] for name in left} == {'3'}
    features, states = shorter(x)
    expected, expected_states = everything(x)
    for ours, theirs in zip(features, expected[1:3], strict=True):
        assert torch.equal(ours, theirs)
    assert len(states) == 3
    features, _ = shorter(x, states)
    assert torch.equal(features[1], everything(x, expected_states)[0][2])
    features[1].sum().backward()
    assert all(p.grad is not None for p in shorter.parameters())


def test_no_state_is_a_state_of_zeros() -> None:
    model = build(arch=NARROW, lstm_dws_conv=True).eval()
    x = torch.randn(1, 3, 64, 64)
    features, states = model(x)
    zeros = [(torch.zeros_like(h), torch.zeros_like(c)) for h, c in states]
    for start in (zeros, [None, *zeros[1:]]):
        assert all(map(torch.equal, model(x, start)[0], features))


@pytest.mark.parametrize('with_cp', [False, True])
@pytest.mark.parametrize('steps', [1, 2])
def test_every_parameter_has_a_gradient(steps: int, with_cp: bool) -> None:
    model = build(arch=NARROW, lstm_dws_conv=True, with_cp=with_cp).train()
    states, total = None, 0
    for _ in range(steps):
        features, states = model(torch.randn(2, 3, 64, 64), states)
        total = total + sum(feature.square().sum() for feature in features)
    total.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert without == []
    zero = {name for name, p in model.named_parameters() if not p.grad.any()}
    # without a hidden state before it there is nothing for the depthwise kernel to learn from
    idle = {f'stages.{i}.lstm.conv3x3_dws.weight' for i in range(4)}
    assert zero == (idle if steps == 1 else set())


def test_recomputed_activations_give_the_same_gradients() -> None:
    x, gradients = torch.randn(1, 3, 64, 64), []
    for with_cp in (False, True):
        model = build(arch=NARROW, with_cp=with_cp).train()
        sum(feature.sum() for feature in model(x)[0]).backward()
        gradients.append([p.grad for p in model.parameters()])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_autocast() -> None:
    model = build(arch=NARROW).train()
    x = torch.randn(2, 3, 64, 64)
    _, states = model(x)
    exact, _ = model(x, states)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        _, states = model(x)
        features, _ = model(x, states)
    for ours, theirs in zip(features, exact, strict=True):
        assert 0 < difference(ours.float(), theirs) < 0.05
    sum(feature.float().sum() for feature in features).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())


def test_lower_precision_weights_take_states_of_float32() -> None:
    model = build(arch=NARROW).eval()
    x = torch.randn(1, 3, 64, 64)
    _, states = model(x)
    features, _ = model.to(torch.bfloat16)(x, states)
    assert all(feature.dtype == torch.bfloat16 for feature in features)


@pytest.mark.skipif(torch.__version__ < (2, 6), reason='ONNX needs PyTorch 2.6')
def test_export() -> None:
    model = build(arch=NARROW, out_indices=(0, 1)).eval()  # the others are like the second
    x = torch.randn(2, 3, 60, 100)
    _, states = model(x)
    program = torch.export.export(model, (x, states)).module()
    for ours, theirs in zip(program(x, states)[0], model(x, states)[0], strict=True):
        torch.testing.assert_close(ours, theirs)


def wrong_states(change: Callable[[Tensor], Tensor]) -> list:
    _, states = build(arch=NARROW)(torch.zeros(2, 3, 64, 64))
    return [(change(h), change(c)) for h, c in states]


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(arch='large'), "'large': use base, small, tiny"),
        (dict(arch=dict(embed_dim=8)), r'or dict\(embed_dim=..., dim_head=...\)'),
        (dict(arch=dict(embed_dim=48, dim_head=32)), r'dim_head from \[1, 2, 3, 4, 6, 8, 12'),
        (dict(out_indices=(1, 4)), r'out_indices=\(1, 4\): choose from'),
        (dict(out_indices=()), 'out_indices'),
        (dict(num_blocks=(1, 2)), 'num_blocks'),
        (dict(num_blocks=0), 'num_blocks'),
        (dict(partition_split=0), 'partition_split=0'),
        (dict(partition_size=(0, 3)), r'partition_size=\(0, 3\)'),
    ],
)
def test_options_that_do_not_fit(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        MaxViTRNN(**{'arch': NARROW, **options})


def test_partition_that_does_not_fit_names_those_that_do() -> None:
    model = build(arch=NARROW, partition_size=(6, 10))
    with pytest.raises(UserError) as caught:
        model(torch.zeros(1, 3, 100, 130))  # padded to 128 x 192: a map of 4 x 6
    message = str(caught.value)
    assert '(6, 10)' in message and '4x6' in message and '128x192' in message
    assert 'rows from [1, 2, 4]' in message and 'columns from [1, 2, 3, 6]' in message
    assert 'multiples of 192' in message and 'multiples of 320' in message
    model(torch.zeros(1, 3, 192, 320))
    build(arch=NARROW, partition_size=(4, 3))(torch.zeros(1, 3, 100, 130))


def test_states_and_inputs_that_do_not_fit() -> None:
    model = build(arch=NARROW)
    x = torch.zeros(2, 3, 64, 64)
    for change in (lambda s: s[:1], lambda s: s[..., :-1], lambda s: s[:, :4]):
        with pytest.raises(UserError, match='same recordings'):
            model(x, wrong_states(change))
    with pytest.raises(UserError, match='states of 3 stages'):
        model(x, wrong_states(lambda s: s)[:3])
    with pytest.raises(UserError, match=r'needs \(B, 3, H, W\)'):
        model(torch.zeros(2, 20, 64, 64))


@torch.no_grad()
def test_several_steps_at_once_are_the_steps_one_by_one() -> None:
    model = build(arch=NARROW, partition_split=1, lstm_dws_conv=True).eval()
    clips = [torch.rand(length, 3, 64, 64) for length in (4, 3, 1)]
    _, before = model(torch.rand(3, 3, 64, 64))
    packed = torch.cat([torch.stack([c[t] for c in clips if len(c) > t]) for t in range(4)])
    features, after = model(packed, before, batch_sizes=[3, 2, 2, 1])
    rows = [[0, 3, 5, 7], [1, 4, 6], [2]]
    for i, clip in enumerate(clips):
        states = [(h[[i]], c[[i]]) for h, c in before]
        for step, row in zip(clip, rows[i], strict=True):
            levels, states = model(step[None], states)
            for level, expected in zip(features, levels, strict=True):
                torch.testing.assert_close(level[[row]], expected, rtol=1e-4, atol=1e-5)
        for state, expected in zip(after, states, strict=True):
            for part, of_clip in zip(state, expected, strict=True):
                torch.testing.assert_close(part[[i]], of_clip, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('batch_sizes', [[1, 1], [1, 2], [4]])
def test_batch_sizes_that_do_not_fit(batch_sizes: list[int]) -> None:
    model = build(arch=NARROW, partition_split=1)
    with pytest.raises(UserError, match='batch_sizes'):
        model(torch.rand(3, 3, 32, 32), batch_sizes=batch_sizes)


def test_forget_bias() -> None:
    torch.manual_seed(0)
    plain = MODELS.build(dict(type='MaxViTRNN', arch=NARROW))
    torch.manual_seed(0)
    biased = MODELS.build(dict(type='MaxViTRNN', arch=NARROW, lstm_forget_bias=2.0))
    for a, b in zip(plain.stages, biased.stages, strict=True):
        dim = len(a.lstm.conv1x1.bias) // 4
        added = b.lstm.conv1x1.bias - a.lstm.conv1x1.bias
        torch.testing.assert_close(added[:dim], torch.full((dim,), 2.0))
        assert not added[dim:].any()
