import pytest
import torch

from abc_mmdet.checkpoints.pretrained import HeadLayout, transfer
from mmdet.registry import MODELS

NANO = dict(
    type='CSPDarknet',
    deepen_factor=0.33,
    widen_factor=0.25,
    out_indices=(2, 3, 4),
    use_depthwise=True,
)


class Detector(torch.nn.Module):
    def __init__(self, **changes):
        super().__init__()
        self.backbone = MODELS.build(dict(NANO, **changes))


@pytest.fixture
def pair():
    torch.manual_seed(0)
    colour, gray = Detector(), Detector(type='GrayCSPDarknet')
    with torch.no_grad():
        for value in colour.state_dict().values():
            if value.dtype.is_floating_point:
                value.uniform_(0.1, 1.0)
    result = transfer(colour.state_dict(), gray, HeadLayout(()))
    gray.load_state_dict(result.state)
    return colour.eval(), gray.eval(), result


def test_gray_images_have_the_features_of_the_network_for_colours(pair):
    colour, gray, result = pair
    assert result.new == [] and result.share('backbone') == 1
    images = torch.randint(0, 256, (2, 1, 64, 96)).float().expand(-1, 3, -1, -1)
    with torch.no_grad():
        for ours, theirs in zip(gray.backbone(images), colour.backbone(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)


def test_a_colour_image_is_seen_as_the_mean_of_its_channels(pair):
    _, gray, _ = pair
    images = torch.rand(1, 3, 64, 64)
    mean = images.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    with torch.no_grad():
        torch.testing.assert_close(gray.backbone(images)[0], gray.backbone(mean)[0])


def test_its_own_weights_are_taken_over_as_they_are(pair):
    _, gray, _ = pair
    again = transfer(gray.state_dict(), Detector(type='GrayCSPDarknet'), HeadLayout(()))
    assert all(torch.equal(again.state[k], v) for k, v in gray.state_dict().items())


def test_it_does_a_tenth_less_work():
    def work(detector):
        total = 0

        def count(module, _, output):
            nonlocal total
            total += module.weight[0].numel() * output.numel()

        for module in detector.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(count)
        detector.eval().backbone(torch.zeros(1, 3, 64, 64))
        return total

    colour, gray = work(Detector()), work(Detector(type='GrayCSPDarknet'))
    first = 16 * 9 * 12 * 32 * 32  # its three colours become one
    assert colour - gray == first * 2 // 3
