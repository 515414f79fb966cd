"""From blocks in the street to filled outlines in an image: camera, light and painting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np

Colour = tuple[float, float, float]
"""Blue, green, red, 0 to 255."""

NEAR = 1.0
"""Metres in front of the lens; a body that reaches nearer is not seen."""

_BITS = 4  # of a coordinate behind the point, in OpenCV's drawing


class Patch(NamedTuple):
    """A filled outline in the image: corners (N, 2) in pixels.

    Examples:
        >>> Patch(np.array([(0, 0), (4, 0), (0, 4)]), (0, 0, 255)).outline.shape
        (3, 2)
    """

    outline: np.ndarray
    colour: tuple[float, ...]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; x is to the right, y along the street and z up, in metres.

    Pixel coordinates are OpenCV's: the centre of the top-left pixel is (0, 0).

    Args:
        position: of the lens, metres.
        target: a point in the middle of the image, metres.
        focal: focal length, pixels.
        size: width and height of the image, pixels.

    Examples:
        >>> camera = Camera((0, 0, 8), (0, 20, 8), focal=100, size=(101, 101))
        >>> camera.pixels(camera.view(np.array([(2.0, 20.0, 8.0)]))).tolist()
        [[60.0, 50.0]]
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

    def view(self, points: np.ndarray) -> np.ndarray:
        """World points (N, 3) in the camera's axes: right, down and depth, (N, 3)."""
        return (points - np.asarray(self.position)) @ self.axes.T

    def pixels(self, view: np.ndarray) -> np.ndarray:
        """Points (N, 3) from :meth:`view`, all in front of the lens, as pixels (N, 2)."""
        centre = (np.asarray(self.size) - 1) / 2
        return view[:, :2] * (self.focal / view[:, 2:]) + centre


@dataclass(frozen=True)
class Light:
    """Brightness of a face: ``ambient``, and ``diffuse`` more where it looks at the sun.

    Examples:
        >>> noon = Light((0, 0, 1), ambient=0.5, diffuse=0.25)
        >>> noon.shade(np.array([(0, 0, 1), (0, 1, 0)])).tolist()
        [0.75, 0.5]
    """

    sun: tuple[float, float, float]
    ambient: float
    diffuse: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Light:
        elevation, azimuth = rng.uniform(0.5, 1.2), rng.uniform(0, 2 * np.pi)
        flat = np.cos(elevation)
        sun = float(flat * np.cos(azimuth)), float(flat * np.sin(azimuth)), float(np.sin(elevation))
        return cls(sun, rng.uniform(0.45, 0.8), rng.uniform(0.15, 0.4))

    def shade(self, normals: np.ndarray) -> np.ndarray:
        """Brightness of faces with these unit normals, (N, 3)."""
        return self.ambient + self.diffuse * np.maximum(normals @ np.asarray(self.sun), 0)


class Block(NamedTuple):
    """A box along the street, metres.

    Blocks with a higher ``level`` stand on those with a lower one, which, seen from above, cannot
    hide them.

    Examples:
        >>> Block(length=(-2, 2), width=1.8, height=(0.3, 0.9), colour=(0, 0, 200)).level
        0
    """

    length: tuple[float, float]
    width: float
    height: tuple[float, float]
    colour: Colour
    level: int = 0
    x: float = 0.0
    roof: Colour | None = None


_CORNERS = {  # of the faces, as (x, y, z) from 0 to 1; nobody sees what is below
    (0, -1, 0): ((0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)),
    (0, 1, 0): ((0, 1, 0), (1, 1, 0), (1, 1, 1), (0, 1, 1)),
    (-1, 0, 0): ((0, 0, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1)),
    (1, 0, 0): ((1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 0, 1)),
    (0, 0, 1): ((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
}
_UNIT_FACES = np.array(list(_CORNERS.values()), float)
_UNIT_NORMALS = np.array(list(_CORNERS), float)


class Body:
    """Blocks of one participant in its own axes: y forward, z up, origin on the ground.

    Examples:
        >>> car = Body([Block((-2, 2), 1.8, (0.3, 0.9), (0, 0, 200))])
        >>> camera = Camera((0, 0, 9), (0, 20, 0), focal=300, size=(320, 192))
        >>> light = Light((0, 0, 1), ambient=0.5, diffuse=0.25)
        >>> len(car.patches(camera, light, x=0, y=20, heading=1))  # the back and the top
        2
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        low = np.array([(b.x - b.width / 2, b.length[0], b.height[0]) for b in blocks])
        high = np.array([(b.x + b.width / 2, b.length[1], b.height[1]) for b in blocks])
        faces = low[:, None, None] + _UNIT_FACES * (high - low)[:, None, None]
        self.points = faces.reshape(-1, 3)
        self._normals = np.tile(_UNIT_NORMALS, (len(blocks), 1))
        self._middles = np.repeat((low + high) / 2, 5, axis=0)
        self._levels = np.repeat([b.level for b in blocks], 5)
        self._colours = np.concatenate([[b.colour] * 4 + [b.roof or b.colour] for b in blocks])

    def patches(
        self, camera: Camera, light: Light, x: float, y: float, heading: int
    ) -> list[Patch]:
        """What is seen of the body at (x, y), in painting order; heading 1 is along the street."""
        turn, place = np.array((heading, heading, 1)), np.array((x, y, 0))
        world, normals = self.points * turn + place, self._normals * turn
        view = camera.view(world)
        if view[:, 2].min() < NEAR:
            return []
        lens = np.asarray(camera.position)
        shown = ((lens - world[::4]) * normals).sum(1) > 0
        distance = ((lens - (self._middles * turn + place)) ** 2).sum(1)
        colours = np.minimum(self._colours * light.shade(normals)[:, None], 255).tolist()
        outlines = camera.pixels(view).reshape(-1, 4, 2)
        order = np.lexsort((-distance, self._levels))
        return [Patch(outlines[i], tuple(colours[i])) for i in order[shown[order]].tolist()]


def fill(image: np.ndarray, outline: np.ndarray, colour: tuple[float, ...] | int) -> None:
    """Fills a polygon (N, 2) with hard edges, in place."""
    corners = np.round(outline * (1 << _BITS)).astype(np.int32)
    cv2.fillPoly(image, [corners], colour, cv2.LINE_8, _BITS)


def paint(image: np.ndarray, patches: Sequence[Patch]) -> None:
    """Paints patches in order, in place, with pixels at the edge covered in part.

    OpenCV's own soft edges make everything a pixel wider, so it is drawn in parts of a pixel.
    """
    points = np.concatenate([patch.outline for patch in patches])
    limit = np.array(image.shape[1::-1])
    low = np.clip(np.floor(points.min(0)).astype(int) - 1, 0, limit)
    high = np.clip(np.ceil(points.max(0)).astype(int) + 2, 0, limit)
    area = image[low[1] : high[1], low[0] : high[0]]
    if area.size == 0:
        return
    fine = 4 if min(area.shape[:2]) < 64 else 2
    canvas = cv2.resize(area, None, fx=fine, fy=fine, interpolation=cv2.INTER_NEAREST)
    for patch in patches:
        fill(canvas, (patch.outline - low + 0.5) * fine - 0.5, patch.colour)
    area[:] = cv2.resize(canvas, area.shape[1::-1], interpolation=cv2.INTER_AREA)


def clip_to_image(outline: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The part of a polygon (N, 2) from (0, 0) to ``size``, (M, 2); M is 0 if there is none.

    Sutherland and Hodgman's algorithm (1974).
    """
    for axis, sign, limit in ((0, 1, 0), (1, 1, 0), (0, -1, -size[0]), (1, -1, -size[1])):
        inside = sign * outline[:, axis] - limit
        corners = []
        for i, here in enumerate(outline):
            if (inside[i] >= 0) != (inside[i - 1] >= 0):
                part = inside[i] / (inside[i] - inside[i - 1])
                corners.append(here + (outline[i - 1] - here) * part)
            if inside[i] >= 0:
                corners.append(here)
        outline = np.array(corners).reshape(-1, 2)
    return outline
