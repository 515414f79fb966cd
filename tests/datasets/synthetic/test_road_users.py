"""What road users look like."""

import numpy as np
import pytest

from abc_mmdet.datasets.synthetic.rendering import Camera, Light
from abc_mmdet.datasets.synthetic.road_users import CLASSES, body_of

CAMERA = Camera(position=(0.0, 0.0, 6.0), target=(0.0, 30.0, 6.0), focal=1000.0, size=(1280, 720))
BEHIND = Camera(position=(0.0, -900.0, 1.5), target=(0.0, 0.0, 1.5), focal=9e4, size=(1280, 720))
BESIDE = Camera(position=(-900.0, 0.0, 1.5), target=(0.0, 0.0, 1.5), focal=9e4, size=(1280, 720))
"""So far away that 100 px are a metre whatever the depth."""
DAY = Light((0.0, 0.0, 1.0), ambient=0.7, diffuse=0.3)

# Metres: length, width, height, each from the smallest to the largest of the real ones.
REAL_SIZES = {
    'pedestrian': ((0.3, 1.2), (0.45, 0.8), (1.5, 2.0)),
    'car': ((3.8, 4.8), (1.7, 1.9), (1.35, 1.65)),
    'bicycle': ((1.6, 1.9), (0.4, 0.7), (1.6, 2.0)),
    'bus': ((9.5, 12.0), (2.4, 2.6), (2.9, 3.2)),
    'motorbike': ((1.9, 2.3), (0.5, 0.9), (1.5, 1.9)),
    'truck': ((7.0, 9.0), (2.3, 2.6), (2.9, 3.6)),
    'tram': ((14.0, 17.5), (2.3, 2.6), (3.3, 4.3)),
    'wheelchair': ((0.8, 1.2), (0.55, 0.8), (1.3, 1.6)),
}


def extent(points: np.ndarray) -> np.ndarray:
    return points.max(0) - points.min(0)


@pytest.mark.parametrize('name', CLASSES)
def test_it_has_its_real_size_and_stands_on_the_ground(name: str) -> None:
    for seed in range(20):
        body = body_of(name, np.random.default_rng(seed))
        back, side = (
            np.concatenate([patch.outline for patch in body.patches(camera, DAY, 0.0, 0.0, 1)])
            for camera in (BEHIND, BESIDE)
        )
        size = extent(side)[0] / 100, extent(back)[0] / 100, extent(back)[1] / 100
        for metres, (least, most) in zip(size, REAL_SIZES[name], strict=True):
            assert least <= metres <= most
        ground = (720 - 1) / 2 + 150  # the camera is 1.5 m high
        assert back[:, 1].max() == pytest.approx(ground, abs=4)


@pytest.mark.parametrize('name', CLASSES)
def test_twice_as_far_is_half_as_large(name: str) -> None:
    body = body_of(name, np.random.default_rng(1))
    sizes = [
        extent(np.concatenate([patch.outline for patch in body.patches(CAMERA, DAY, 0.0, y, 1)]))
        for y in (200.0, 400.0)
    ]
    np.testing.assert_allclose(sizes[0], 2 * sizes[1], rtol=0.1)


@pytest.mark.parametrize('name', CLASSES)
def test_equal_seeds_make_equal_road_users(name: str) -> None:
    def colours(seed: int) -> list[tuple[float, ...]]:
        body = body_of(name, np.random.default_rng(seed))
        return [patch.colour for patch in body.patches(CAMERA, DAY, 1.0, 20.0, -1)]

    assert colours(3) == colours(3)
    assert len({tuple(colours(seed)) for seed in range(12)}) > 3
