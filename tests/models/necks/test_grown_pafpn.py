import pytest
import torch

from abc_mmdet.errors import UserError
from abc_mmdet.models.necks import GrownPAFPN
from mmdet.models.necks import YOLOXPAFPN

CHANNELS = [4, 8, 16, 32]


def inputs() -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [
        torch.randn(2, c, 64 // s, 96 // s) for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]


@pytest.mark.parametrize('mode', ['nearest', 'bilinear'])
@pytest.mark.parametrize('use_depthwise', [False, True])
def test_it_begins_as_the_smaller_pyramid(use_depthwise: bool, mode: str) -> None:
    options = dict(
        num_csp_blocks=1,
        use_depthwise=use_depthwise,
        upsample_cfg=dict(scale_factor=2, mode=mode),
    )
    ours = GrownPAFPN(CHANNELS, 8, **options)
    ours.init_weights()
    plain = YOLOXPAFPN(CHANNELS[1:], 8, **options)
    missing, unexpected = plain.load_state_dict(ours.state_dict(), strict=False)
    assert not missing and all(name.startswith('growth.') for name in unexpected)
    for is_training in (True, False):
        finest, *others = ours.train(is_training)(inputs())
        theirs = plain.train(is_training)(inputs()[1:])
        assert all(torch.equal(a, b) for a, b in zip(others, theirs, strict=True))
        assert finest.shape == (2, 8, 16, 24)
        for row in (0, 1):
            for column in (0, 1):
                assert torch.equal(finest[..., row::2, column::2], theirs[0])


def test_the_branch_sees_the_finest_input_only() -> None:
    neck = GrownPAFPN(CHANNELS, 8, num_csp_blocks=1).eval()
    torch.nn.init.ones_(neck.growth[-1].weight)
    levels = inputs()
    before = neck(levels)
    levels[0] = levels[0] + 1
    after = neck(levels)
    assert not torch.equal(before[0], after[0])
    assert all(torch.equal(a, b) for a, b in zip(before[1:], after[1:], strict=True))


def test_too_few_levels() -> None:
    with pytest.raises(UserError, match=r'in_channels=\[4, 8\]: give at least three'):
        GrownPAFPN([4, 8], 8)
