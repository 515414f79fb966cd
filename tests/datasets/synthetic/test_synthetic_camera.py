"""The mast camera: projection, and cutting polygons."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.synthetic.camera import Camera, clip_to_rectangle, cut


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


def test_what_is_behind_the_lens_has_no_outline(camera: Camera) -> None:
    behind = np.array([(0.0, -9, 0), (1, -9, 0), (1, -8, 0)])
    assert len(camera.outline(camera.view(behind))) == 0


def test_an_endless_road_stays_within_reach(camera: Camera) -> None:
    road = np.array([(-4.0, -20, 0), (4, -20, 0), (4, 500, 0), (-4, 500, 0)])
    outline = camera.outline(camera.view(road))
    assert len(outline) >= 4 and np.abs(outline).max() <= camera.reach + 1e-6


coordinate = st.floats(-30, 60, allow_nan=False)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=3))
def test_clipping_keeps_the_points_of_a_triangle_inside(corners: list[tuple[float, float]]) -> None:
    clipped = clip_to_rectangle(np.array(corners), 0, 0, 32, 20)
    if len(clipped):
        assert clipped.min() >= -1e-9 and (clipped <= np.array([32, 20]) + 1e-9).all()
    triangle = np.array(corners, dtype=np.float32)
    part = clipped.astype(np.float32)
    for point in [(x, y) for x in range(1, 32, 3) for y in range(1, 20, 3)]:
        depth = cv2.pointPolygonTest(triangle, point, measureDist=True)
        if abs(depth) > 0.01:  # on the edge it may be either
            inside = len(part) > 0 and cv2.pointPolygonTest(part, point, False) >= 0
            assert inside == (depth > 0)


def test_cut_keeps_a_polygon_on_the_right_side_as_it_is() -> None:
    square = np.array([(0.0, 0), (1, 0), (1, 1), (0, 1)])
    np.testing.assert_array_equal(cut(square, np.array([1.0, 0.0]), -1.0), square)
    assert len(cut(square, np.array([1.0, 0.0]), 2.0)) == 0
