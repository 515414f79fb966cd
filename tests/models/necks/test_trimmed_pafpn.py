import pytest
import torch
from mmengine.config import Config

from abc_mmdet.checkpoints.names import strides_of
from abc_mmdet.checkpoints.pretrained import HeadLayout, transfer
from abc_mmdet.errors import UserError
from abc_mmdet.models.necks import TrimmedPAFPN
from mmdet.models.necks import YOLOXPAFPN

OPTIONS = dict(in_channels=[8, 16, 32], out_channels=8, num_csp_blocks=1)


class Detector(torch.nn.Module):
    """Neck and the names of a backbone and a head, which say what its levels are."""

    def __init__(self, neck, last_stage, levels):
        super().__init__()
        self.neck = neck
        self.backbone = torch.nn.Module()
        self.backbone.register_module(f'stage{last_stage}', torch.nn.Conv2d(1, 1, 1))
        self.bbox_head = torch.nn.Module()
        self.bbox_head.multi_level_conv_cls = torch.nn.ModuleList(
            torch.nn.Conv2d(1, 1, 1) for _ in range(levels)
        )


@pytest.fixture
def whole():
    torch.manual_seed(0)
    detector = Detector(YOLOXPAFPN(**OPTIONS), 4, 3)
    with torch.no_grad():
        for value in detector.state_dict().values():
            if value.dtype.is_floating_point:
                value.uniform_(0.1, 1.0)
    return detector.eval()


def trimmed(whole, context):
    detector = Detector(TrimmedPAFPN(**OPTIONS, context=context), 4 if context else 3, 2)
    result = transfer(whole.state_dict(), detector, HeadLayout((8, 16)))
    detector.load_state_dict(result.state)
    return detector.eval(), result


def maps():
    return tuple(torch.rand(1, 8 * 2**i, 16 >> i, 16 >> i) for i in range(3))


def test_with_context_the_finer_levels_are_those_of_the_whole_pyramid(whole):
    detector, result = trimmed(whole, context=True)
    assert result.new == [] and result.strides == ([8, 16, 32], [8, 16])
    inputs = maps()
    with torch.no_grad():
        ours, theirs = detector.neck(inputs), whole.neck(inputs)
    assert len(ours) == 2
    for a, b in zip(ours, theirs[:2], strict=True):
        assert torch.equal(a, b)


def test_without_context_it_is_the_whole_pyramid_with_nothing_from_above(whole):
    """The pyramid gets zeros from above: its reduce layer is made to give none."""
    detector, result = trimmed(whole, context=False)
    assert not [name for name in result.new if name.startswith('neck')]
    inputs = maps()
    with torch.no_grad():
        for value in whole.neck.reduce_layers[0].state_dict().values():
            value.mul_(0)
        ours, theirs = detector.neck(inputs[:2]), whole.neck(inputs)
    for a, b in zip(ours, theirs[:2], strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize('context', [True, False])
def test_the_strides_of_its_checkpoints_are_known(whole, context):
    detector, _ = trimmed(whole, context)
    assert strides_of(detector.state_dict()) == [8, 16]
    again = transfer(detector.state_dict(), trimmed(whole, context)[0], HeadLayout((8, 16)))
    assert again.new == [] and again.unused == []


def test_all_its_parameters_are_trained():
    for context in (True, False):
        neck = TrimmedPAFPN(**OPTIONS, context=context)
        sum(level.sum() for level in neck(maps()[: 3 if context else 2])).backward()
        assert all(parameter.grad is not None for parameter in neck.parameters())


def test_two_levels_cannot_be_trimmed():
    with pytest.raises(UserError, match='three levels'):
        TrimmedPAFPN([8, 16], 8)


def test_it_is_built_from_a_config():
    from mmdet.registry import MODELS

    config = Config(dict(neck=dict(type='TrimmedPAFPN', **OPTIONS)))
    assert isinstance(MODELS.build(config.neck), TrimmedPAFPN)
