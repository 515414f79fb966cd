import numpy as np
import pytest

from abc_mmdet.datasets.transforms.object_patch import ObjectPatch, overlapping, patch_bounds


def image_with_square(channels: tuple[int, ...] = (3,)) -> tuple[np.ndarray, np.ndarray]:
    """A white object of 6 x 4 px on black, and its box."""
    image = np.zeros((40, 60, *channels), np.uint8)
    image[10:14, 20:26] = 255
    return image, np.array([20.0, 10.0, 26.0, 14.0])


@pytest.mark.parametrize('channels', [(), (1,), (3,), (5,)])
def test_cut_and_pasted_object_is_where_its_box_says(channels: tuple[int, ...]) -> None:
    image, box = image_with_square(channels)
    patch = ObjectPatch.cut(image, box, label=2, margin=3)
    assert patch.pixels.shape == (10, 12, *channels)
    assert patch.row == pytest.approx(12 / 40)
    elsewhere = np.full_like(image, 100)
    x1, y1, x2, y2 = patch.paste(elsewhere, 5, 7, feather=False).astype(int)
    assert (x1, y1, x2, y2) == (8, 10, 14, 14)
    assert (elsewhere[y1:y2, x1:x2] == 255).all()
    assert (elsewhere[7:17, 5:17] == 0).sum() == (120 - 24) * int(np.prod(channels))
    assert (elsewhere == 100).sum() == (2400 - 120) * int(np.prod(channels))


def test_mirrored_object() -> None:
    image, box = image_with_square()
    image[10:14, 20] = 128  # its left edge
    patch = ObjectPatch.cut(image, box, label=0, margin=2).flipped()
    x1, y1, x2, y2 = patch.box.astype(int)
    assert (patch.pixels[y1:y2, x1 : x2 - 1] == 255).all()
    assert (patch.pixels[y1:y2, x2 - 1] == 128).all()
    assert (patch.pixels[y1:y2, x2] == 0).all()


@pytest.mark.parametrize('factor', [0.5, 1.0, 2.0])
def test_rescaled_object_keeps_to_its_box(factor: float) -> None:
    image, box = image_with_square()
    patch = ObjectPatch.cut(image, box, label=0, margin=3).scaled(factor)
    assert patch.pixels.shape == (10 * factor, 12 * factor, 3)
    np.testing.assert_allclose(patch.box, np.array([3, 3, 9, 7]) * factor)
    bright = np.argwhere(patch.pixels[..., 0] > 127)
    np.testing.assert_allclose(bright.min(0)[::-1], patch.box[:2], atol=1)
    np.testing.assert_allclose(bright.max(0)[::-1] + 1, patch.box[2:], atol=1)


def test_feather_fades_in_the_margin_and_leaves_the_object_whole() -> None:
    image, box = image_with_square()
    patch = ObjectPatch.cut(image, box, label=0, margin=3)
    opacity = patch.opacity(feather=True)
    np.testing.assert_allclose(opacity[5], [0.25, 0.5, 0.75, *[1] * 6, 0.75, 0.5, 0.25])
    assert (opacity[~patch.surroundings()] == 1).all()
    assert (opacity[patch.surroundings()] < 1).all()
    target = np.full_like(image, 200)
    patch.paste(target, 0, 0, feather=True)
    assert target[5, :4, 0].tolist() == [150, 100, 50, 255]


def test_fractions_of_pixels_belong_to_the_patch() -> None:
    assert patch_bounds(np.array([[2.5, 3.0, 4.2, 5.0]]), 1).tolist() == [[1, 2, 6, 6]]
    touching = np.array([[0.0, 0, 5, 5], [5, 0, 9, 5], [4.9, 4.9, 6, 6]])
    assert overlapping(touching, touching).tolist() == [
        [True, False, True],
        [False, True, True],
        [True, True, True],
    ]
