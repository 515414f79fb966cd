import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from abc_mmdet.errors import UserError
from abc_mmdet.models.necks import ABCPAFPN
from mmdet.models.necks import YOLOXPAFPN

CHANNELS = [4, 8, 16, 32]
STRIDES = [4, 8, 16, 32]


def inputs(requires_grad: bool = False) -> list[torch.Tensor]:
    return [
        torch.randn(2, c, 64 // s, 96 // s, requires_grad=requires_grad)
        for c, s in zip(CHANNELS, STRIDES, strict=True)
    ]


def test_without_aux_levels_it_is_yolox_pafpn() -> None:
    ours = ABCPAFPN(CHANNELS, 8, num_csp_blocks=1).eval()
    plain = YOLOXPAFPN(CHANNELS, 8, num_csp_blocks=1).eval()
    assert list(ours.state_dict()) == list(plain.state_dict())
    plain.load_state_dict(ours.state_dict())
    levels = inputs()
    for a, b in zip(ours(levels), plain(levels), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize('num_aux_levels', [1, 2])
def test_aux_levels_exist_in_training_only(num_aux_levels: int) -> None:
    neck = ABCPAFPN(CHANNELS, 8, num_aux_levels, num_csp_blocks=1)
    levels = inputs()
    assert [tuple(p.shape) for p in neck.train()(levels)] == [
        (2, 8, 64 // s, 96 // s) for s in STRIDES
    ]
    assert [p.shape[-1] for p in neck.eval()(levels)] == [96 // s for s in STRIDES[num_aux_levels:]]


def test_in_evaluation_it_is_the_smaller_pyramid() -> None:
    ours = ABCPAFPN(CHANNELS, 8, 1, num_csp_blocks=1).eval()
    plain = YOLOXPAFPN(CHANNELS[1:], 8, num_csp_blocks=1).eval()
    names = [name for name in ours.state_dict() if not name.startswith('aux_branches.')]
    assert names == list(plain.state_dict())
    plain.load_state_dict({name: ours.state_dict()[name] for name in names})
    levels = inputs()
    with FlopCounterMode(display=False) as of_ours:
        outs = ours(levels)
    with FlopCounterMode(display=False) as of_plain:
        plain_outs = plain(levels[1:])
    assert of_ours.get_total_flops() == of_plain.get_total_flops()
    for a, b in zip(outs, plain_outs, strict=True):
        assert torch.equal(a, b)


def test_main_levels_do_not_depend_on_the_aux_level() -> None:
    neck = ABCPAFPN(CHANNELS, 8, 1, num_csp_blocks=1).train()
    levels = inputs(requires_grad=True)
    finest, *main = neck(levels)
    sum(p.sum() for p in main).backward(retain_graph=True)
    assert levels[0].grad is None
    finest.sum().backward()
    assert levels[0].grad.abs().sum() > 0


@pytest.mark.parametrize('num_aux_levels', [0, 1, 2])
def test_new_gate_changes_nothing_and_learns(num_aux_levels: int) -> None:
    gated = ABCPAFPN(CHANNELS, 8, num_aux_levels, gate_finest=True, num_csp_blocks=1)
    plain = ABCPAFPN(CHANNELS, 8, num_aux_levels, num_csp_blocks=1)
    gated.init_weights()
    result = gated.load_state_dict(plain.state_dict(), strict=False)
    assert not result.unexpected_keys
    (owner,) = {name.split('.gate.')[0] for name in result.missing_keys}
    assert owner == ('aux_branches.0.top_down' if num_aux_levels else 'top_down_blocks.2')
    levels = inputs()
    for a, b in zip(gated(levels), plain(levels), strict=True):
        assert torch.equal(a, b)

    gate = gated.get_submodule(f'{owner}.gate')
    gated(levels)[0].square().sum().backward()
    assert gate[-1].weight.grad.abs().sum() > 0
    with torch.no_grad():
        gate[-1].bias.fill_(-100.0)  # shut: what the backbone says there does not matter
    other = [torch.randn_like(levels[0]), *levels[1:]]
    for module in gated.modules():  # the same statistics in both calls
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    torch.testing.assert_close(gated(levels)[0], gated(other)[0])


def test_gate_of_an_auxiliary_level_is_for_training_only() -> None:
    ours = ABCPAFPN(CHANNELS, 8, 1, gate_finest=True, num_csp_blocks=1).eval()
    plain = YOLOXPAFPN(CHANNELS[1:], 8, num_csp_blocks=1).eval()
    names = [name for name in ours.state_dict() if not name.startswith('aux_branches.')]
    assert names == list(plain.state_dict())
    ours.aux_branches[0].top_down.gate.register_forward_hook(lambda *_: pytest.fail('gate ran'))
    ours(inputs())


@pytest.mark.parametrize('num_aux_levels', [0, 1])
def test_gate_is_light(num_aux_levels: int) -> None:
    neck = ABCPAFPN([64, 128, 256, 512], 128, num_aux_levels, gate_finest=True, num_csp_blocks=1)
    of_gate = sum(p.numel() for name, p in neck.named_parameters() if '.gate.' in name)
    assert 0 < of_gate < 0.01 * sum(p.numel() for p in neck.parameters())


@pytest.mark.parametrize('num_aux_levels', [-1, 3])
def test_impossible_numbers_of_aux_levels(num_aux_levels: int) -> None:
    with pytest.raises(UserError, match='use 0 to 2'):
        ABCPAFPN(CHANNELS, 8, num_aux_levels)
