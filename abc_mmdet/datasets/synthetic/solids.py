"""What participants are made of: flat facets and round limbs, and how they become filled outlines.

A body is drawn by the painter's algorithm. Facets of one convex block never cover each other once
those that face away are left out, so only blocks and limbs need an order: ``level`` says what
stands on what, and within a level the farther one comes first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .camera import NEAR, Camera
from .lighting import Lighting

Colour = tuple[float, float, float]
"""Blue, green, red, 0 to 255."""

_ARC = np.linspace(0, np.pi, 7)
_HALF_CIRCLE = np.stack([-np.sin(_ARC), np.cos(_ARC)], axis=1)


@dataclass(frozen=True)
class Facet:
    """A flat polygon, (N, 3) metres; ``normal`` None means that both sides are seen."""

    points: np.ndarray
    colour: Colour
    normal: tuple[float, float, float] | None
    anchor: tuple[float, float, float]
    level: int = 1


@dataclass(frozen=True)
class Limb:
    """A round bar from ``start`` to ``end`` (equal points make a ball), metres."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float
    colour: Colour
    level: int = 1


@dataclass(frozen=True)
class Patch:
    """A filled outline in the frame: corners (N, 2) in pixels."""

    outline: np.ndarray
    colour: tuple[float, ...]


def block(
    length: tuple[float, float],
    width: float,
    height: tuple[float, float],
    colour: Colour,
    *,
    top_length: tuple[float, float] | None = None,
    top_width: float | None = None,
    top_colour: Colour | None = None,
    decals: dict[str, Sequence[tuple[float, float, float, float, Colour]]] | None = None,
    level: int = 1,
) -> list[Facet]:
    """A box or a frustum that stands along the y axis, centred on x = 0.

    Args:
        length: y of the back and of the front face at the bottom.
        width: in x, at the bottom.
        height: z of the bottom and of the top.
        decals: flat things on a face (``front``, ``back``, ``left``, ``right``, ``top``): left,
            bottom, right, top in parts of the face as seen from outside, and the colour.
    """
    (y0, y1), (z0, z1), w0 = length, height, width / 2
    t0, t1 = top_length or length
    w1 = w0 if top_width is None else top_width / 2
    base = np.array([(-w0, y0, z0), (w0, y0, z0), (w0, y1, z0), (-w0, y1, z0)])
    roof = np.array([(-w1, t0, z1), (w1, t0, z1), (w1, t1, z1), (-w1, t1, z1)])
    side, rise = (w0 - w1) / (z1 - z0), z1 - z0
    faces = {  # corners, then the outward normal
        'back': (base[0], base[1], roof[1], roof[0], (0.0, -rise, t0 - y0)),
        'right': (base[1], base[2], roof[2], roof[1], (1.0, 0.0, side)),
        'front': (base[2], base[3], roof[3], roof[2], (0.0, rise, y1 - t1)),
        'left': (base[3], base[0], roof[0], roof[3], (-1.0, 0.0, side)),
        'top': (*roof, (0.0, 0.0, 1.0)),
    }
    anchor = (0.0, (y0 + y1) / 2, (z0 + z1) / 2)
    facets = []
    for name, (a, b, c, d, (nx, ny, nz)) in faces.items():
        length_of_normal = math.sqrt(nx * nx + ny * ny + nz * nz)
        outward = nx / length_of_normal, ny / length_of_normal, nz / length_of_normal
        paint = top_colour if name == 'top' and top_colour else colour
        facets.append(Facet(np.array((a, b, c, d)), paint, outward, anchor, level))
        for left, low, right, high, ink in (decals or {}).get(name, ()):
            u, v = np.array([(left, low), (right, low), (right, high), (left, high)]).T[..., None]
            on_face = (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * d + u * c)
            facets.append(Facet(on_face, ink, outward, anchor, level))
    return facets


def wheel(
    centre: tuple[float, float, float],
    radius: float,
    colour: Colour,
    *,
    inner: float = 0.0,
    side: int = 0,
    level: int = 1,
) -> Facet:
    """A disc, or a ring when ``inner`` is not 0, in the plane of travel.

    ``side`` -1 or 1 shows it from the left or the right only, 0 from both.
    """
    angle = np.linspace(0, 2 * np.pi, 13)
    rim = np.stack([np.zeros_like(angle), np.cos(angle), np.sin(angle)], axis=1)
    ring = np.concatenate([rim * radius, rim[::-1] * inner]) if inner else rim[:-1] * radius
    return Facet(ring + centre, colour, (float(side), 0.0, 0.0) if side else None, centre, level)


class Body:
    """The parts of one participant in its own axes: y forward, z up, origin on the ground."""

    def __init__(self, parts: Sequence[Facet | Limb]) -> None:
        limbs = [part for part in parts if isinstance(part, Limb)]
        facets = [part for part in parts if isinstance(part, Facet)]
        corners = [np.array([limb.start, limb.end]) for limb in limbs]
        corners += [facet.points for facet in facets]
        self.points = np.concatenate(corners)
        self._ends = np.cumsum([len(points) for points in corners]).tolist()
        self._radii = np.array([limb.radius for limb in limbs])
        self._two_sided = np.array([True] * len(limbs) + [facet.normal is None for facet in facets])
        # From here on one row per part, limbs first.
        self._normals = np.array(
            [(0.0, 0.0, 0.0)] * len(limbs) + [facet.normal or (0.0, 0.0, 0.0) for facet in facets]
        )
        self._anchors = np.array(
            [np.add(limb.start, limb.end) / 2 for limb in limbs]
            + [facet.anchor for facet in facets]
        )
        self._levels = np.array([*(p.level for p in limbs), *(p.level for p in facets)])
        self._colours = np.array([*(p.colour for p in limbs), *(p.colour for p in facets)])

    def world(self, x: float, y: float, heading: int) -> np.ndarray:
        """All points (N, 3) with the body at (x, y), heading 1 along the street, -1 against."""
        return self.points * (heading, heading, 1) + (x, y, 0)

    def patches(
        self, camera: Camera, lighting: Lighting, x: float, y: float, heading: int
    ) -> list[Patch]:
        """The outlines to fill, in this order, to see the body at (x, y) in the street."""
        turn = np.array([heading, heading, 1.0])
        world = self.world(x, y, heading)
        normals = self._normals * turn
        # Whether a face is seen is asked at a corner: its anchor is the middle of its block.
        to_lens = np.asarray(camera.position) - world[np.array(self._ends) - 1]
        shown = self._two_sided | ((normals * to_lens).sum(1) > 0)
        to_anchor = np.asarray(camera.position) - (self._anchors * turn + (x, y, 0))
        order = np.lexsort((-(to_anchor**2).sum(1), self._levels))
        colours = lighting.tinted(self._colours, lighting.shade(normals)).tolist()

        view = camera.view(world)
        in_reach = view[:, 2].min() >= NEAR
        if in_reach:
            pixels = camera.pixels(view)
            in_reach = np.abs(pixels).max() <= camera.reach
        limbs = _limb_outlines(camera, view[: 2 * len(self._radii)], self._radii)
        seen = []
        for index in order[shown[order]].tolist():
            if index < len(limbs):
                outline = limbs[index]
            else:
                corners = slice(self._ends[index - 1] if index else 0, self._ends[index])
                outline = pixels[corners] if in_reach else camera.outline(view[corners])
            if len(outline):
                seen.append(Patch(outline, tuple(colours[index])))
        return seen


def _limb_outlines(camera: Camera, view: np.ndarray, radii: np.ndarray) -> list[np.ndarray]:
    """The silhouettes of bars between pairs of points (2 L, 3) in the camera's axes, in pixels."""
    depth = view[:, 2].reshape(-1, 2)
    ends = camera.pixels(np.maximum(view, (-np.inf, -np.inf, NEAR))).reshape(-1, 2, 2)
    along = ends[:, 1] - ends[:, 0]
    length = np.hypot(along[:, 0], along[:, 1])[:, None]
    forward = np.where(length > 1e-6, along / np.maximum(length, 1e-6), (0.0, 1.0))
    sideways = np.stack([-forward[:, 1], forward[:, 0]], axis=1)
    arc = _HALF_CIRCLE @ np.stack([forward, sideways], axis=1)  # (L, 7, 2)
    radius = (radii * camera.focal)[:, None] / np.maximum(depth, NEAR)
    outlines = np.concatenate(
        [
            ends[:, :1] + arc * radius[:, 0, None, None],
            ends[:, 1:] - arc * radius[:, 1, None, None],
        ],
        axis=1,
    )
    behind = depth.min(1) < NEAR
    return [np.empty((0, 2)) if gone else line for gone, line in zip(behind, outlines, strict=True)]
