"""A pinhole camera on a mast: from metres in the street to pixels in the frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

NEAR = 0.5
"""Metres in front of the lens; what is nearer is not seen."""


@dataclass(frozen=True)
class Camera:
    """Where the camera stands and what it looks at.

    The world has x to the right, y along the street and z up, in metres, with the ground at z = 0.
    Pixel coordinates are those of OpenCV: the centre of the top-left pixel is (0, 0).

    Args:
        position: of the lens, metres.
        target: a point in the middle of the image, metres.
        focal: focal length, pixels.
        size: width and height of the frame, pixels.
    """

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    focal: float
    size: tuple[int, int]

    @cached_property
    def axes(self) -> np.ndarray:
        """Rows right, down and forward of the camera in the world, (3, 3)."""
        forward = np.subtract(self.target, self.position)
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(forward, right), forward])

    @property
    def reach(self) -> float:
        """Pixel coordinates beyond this, either way, are cut off before drawing."""
        return 2.0 * max(self.size)

    def view(self, points: np.ndarray) -> np.ndarray:
        """World points (N, 3) in the camera's axes: right, down and depth, (N, 3)."""
        return (points - np.asarray(self.position)) @ self.axes.T

    def pixels(self, view: np.ndarray) -> np.ndarray:
        """Points (N, 3) from :meth:`view`, all in front of the lens, as pixels (N, 2)."""
        centre = (np.asarray(self.size) - 1) / 2
        return view[:, :2] * (self.focal / view[:, 2:]) + centre

    def outline(self, view: np.ndarray) -> np.ndarray:
        """A polygon's corners (N, 3) from :meth:`view` as pixels (M, 2); M is 0 if it is not seen.

        The polygon is cut at the near plane and well outside the frame, so that the pixel
        coordinates stay in the range OpenCV draws correctly.
        """
        if view[:, 2].min() < NEAR:
            view = cut(view, np.array([0.0, 0.0, 1.0]), NEAR)
            if len(view) < 3:
                return np.empty((0, 2))
        points = self.pixels(view)
        low, high = points.min(0), points.max(0)
        if (high < -1).any() or (low > self.size).any():
            return np.empty((0, 2))
        if max(high.max(), -low.min()) > self.reach:
            points = clip_to_rectangle(points, *[-self.reach] * 2, *[self.reach] * 2)
        return points


def cut(polygon: np.ndarray, normal: np.ndarray, offset: float) -> np.ndarray:
    """The part of a polygon (N, D) with ``point . normal >= offset``.

    One step of Sutherland and Hodgman's algorithm (1974).
    """
    distances = polygon @ normal - offset
    if distances.min() >= 0:
        return polygon
    side = distances.tolist()
    corners = []
    for index, here in enumerate(polygon):
        d_here, d_there = side[index], side[index + 1 - len(side)]
        if d_here >= 0:
            corners.append(here)
        if (d_here >= 0) != (d_there >= 0):
            there = polygon[index + 1 - len(side)]
            corners.append(here + (there - here) * (d_here / (d_here - d_there)))
    return np.array(corners).reshape(-1, polygon.shape[1])


def clip_to_rectangle(
    polygon: np.ndarray, left: float, top: float, right: float, bottom: float
) -> np.ndarray:
    """The part of a polygon (N, 2) inside a rectangle, (M, 2)."""
    for normal, offset in (((1, 0), left), ((0, 1), top), ((-1, 0), -right), ((0, -1), -bottom)):
        if len(polygon):
            polygon = cut(polygon, np.array(normal, dtype=float), offset)
    return polygon
