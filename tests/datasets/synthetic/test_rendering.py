"""The camera, and how a block is seen and painted."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.synthetic.rendering import (
    Block,
    Body,
    Camera,
    Light,
    Patch,
    clip_to_image,
    paint,
)


@pytest.fixture
def camera() -> Camera:
    return Camera(position=(3.0, 0.0, 7.0), target=(-2.0, 18.0, 0.5), focal=300.0, size=(320, 192))


def test_the_target_is_in_the_middle(camera: Camera) -> None:
    pixel = camera.pixels(camera.view(np.array([camera.target])))
    np.testing.assert_allclose(pixel, [[159.5, 95.5]])


def test_projection_equals_opencv(camera: Camera) -> None:
    points = np.random.default_rng(0).uniform((-8, 10, 0), (8, 40, 4), (50, 3))
    rotation, _ = cv2.Rodrigues(camera.axes)
    shift = -camera.axes @ np.array(camera.position)
    matrix = np.array([[camera.focal, 0, 159.5], [0, camera.focal, 95.5], [0, 0, 1]])
    expected, _ = cv2.projectPoints(points, rotation, shift, matrix, None)
    np.testing.assert_allclose(camera.pixels(camera.view(points)), expected[:, 0])


def test_up_in_the_world_is_up_in_the_frame(camera: Camera) -> None:
    feet, head = camera.pixels(camera.view(np.array([(0, 20, 0), (0, 20, 1.7)])))
    assert head[1] < feet[1] and abs(head[0] - feet[0]) < 5


ABOVE = Light((0.0, 0.0, 1.0), ambient=0.5, diffuse=0.25)


def test_a_body_behind_the_lens_is_not_seen(camera: Camera) -> None:
    block = Body([Block((-1.0, 1.0), 1.0, (0.0, 1.0), (200, 100, 50))])
    assert block.patches(camera, ABOVE, 0.0, -9.0, 1) == []


def test_faces_that_look_at_the_camera_are_seen_and_the_sun_makes_them_brighter() -> None:
    camera = Camera((0.0, 0.0, 9.0), (0.0, 20.0, 0.0), 300.0, (320, 192))
    block = Body([Block((-1.0, 1.0), 2.0, (0.0, 1.0), (200, 100, 40))])
    assert [patch.colour for patch in block.patches(camera, ABOVE, 0.0, 20.0, 1)] == [
        (100, 50, 20),  # the back, at half brightness
        (150, 75, 30),  # the top, which the sun is above
    ], 'the camera is in front of neither side'
    assert len(block.patches(camera, ABOVE, 8.0, 20.0, 1)) == 3


def test_a_block_stands_on_what_is_below_it() -> None:
    camera = Camera((0.0, 0.0, 9.0), (0.0, 20.0, 0.0), 300.0, (320, 192))
    low = Block((-1.0, 1.0), 2.0, (0.0, 1.0), (0, 0, 200), level=0)
    high = Block((0.0, 1.0), 2.0, (1.0, 2.0), (0, 200, 0), level=1)  # farther away, yet above
    colours = [p.colour[:2] for p in Body([high, low]).patches(camera, ABOVE, 0.0, 20.0, 1)]
    assert colours == [(0, 0), (0, 0), (0, 100), (0, 150)]


def test_pixels_at_an_edge_are_covered_in_part() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    square = np.array([(1.75, 1.5), (4.4, 1.5), (4.4, 4.4), (1.75, 4.4)])  # to a quarter: 4.5
    paint(image, [Patch(square, (200, 200, 200))])
    np.testing.assert_array_equal(image[3, :6, 0], [0, 0, 150, 200, 200, 0])
    np.testing.assert_array_equal(image[:6, 3, 0], [0, 0, 200, 200, 200, 0])


coordinate = st.floats(-30, 60, allow_nan=False)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=3))
def test_clipping_keeps_the_points_of_a_triangle_inside(corners: list[tuple[float, float]]) -> None:
    clipped = clip_to_image(np.array(corners), (32, 20))
    if len(clipped):
        assert clipped.min() >= -1e-9 and (clipped <= np.array([32, 20]) + 1e-9).all()
    triangle = np.array(corners, dtype=np.float32)
    part = clipped.astype(np.float32)
    for point in [(x, y) for x in range(1, 32, 3) for y in range(1, 20, 3)]:
        depth = cv2.pointPolygonTest(triangle, point, measureDist=True)
        if abs(depth) > 0.01:  # on the edge it may be either
            inside = len(part) > 0 and cv2.pointPolygonTest(part, point, False) >= 0
            assert inside == (depth > 0)
