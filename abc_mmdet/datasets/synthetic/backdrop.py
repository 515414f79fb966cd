"""The part of the image that does not move: sky, buildings, ground, markings and texture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from .camera import Camera
from .lighting import Lighting
from .painting import fill, shrink
from .solids import Body, Colour, Limb
from .street import FAR_END, NEAR_END, Strip

_END = FAR_END + 18.0  # a cross street lies between the far end and the houses that close the view
_FINE = 2  # parts of a pixel, each way
_MARK: Colour = (215, 220, 220)
_FACADES: tuple[Colour, ...] = (
    (150, 175, 195), (120, 140, 170), (175, 185, 190),
    (140, 150, 150), (110, 120, 165), (165, 190, 210),
)  # fmt: skip


class Backdrop:
    """Paints one street as one camera sees it."""

    def __init__(
        self, strips: Sequence[Strip], camera: Camera, lighting: Lighting, rng: np.random.Generator
    ) -> None:
        self.strips, self.camera, self.lighting, self.rng = strips, camera, lighting, rng
        self._canvas = np.zeros((camera.size[1] * _FINE, camera.size[0] * _FINE, 3), np.uint8)
        self._sky()
        self._ground()
        self._houses()
        self._trees()
        self.image = self._textured(shrink(self._canvas, _FINE))

    def _draw(self, outline: np.ndarray, colour: Sequence[float]) -> None:
        fill(self._canvas, (outline + 0.5) * _FINE - 0.5, tuple(colour))

    def _fill(self, points: np.ndarray, colour: Sequence[float], brightness: float) -> None:
        outline = self.camera.outline(self.camera.view(points))
        if len(outline):
            tinted = self.lighting.tinted(np.array(colour), brightness)
            self._draw(outline, tinted.tolist())

    def _flat(
        self, left: float, right: float, y0: float, y1: float, colour: Sequence[float]
    ) -> None:
        corners = np.array([(left, y0, 0), (right, y0, 0), (right, y1, 0), (left, y1, 0.0)])
        self._fill(corners, colour, self.lighting.ground)

    def _sky(self) -> None:
        high = self.lighting.tinted(np.array((225, 195, 165)), self.lighting.ground)
        low = self.lighting.tinted(np.array((235, 228, 222)), self.lighting.ground)
        rows = np.linspace(0, 1, len(self._canvas))[:, None, None]
        self._canvas[:] = (high + (low - high) * np.minimum(rows * 3, 1)).astype(np.uint8)

    def _houses(self) -> None:
        left, right = self.strips[0].left, self.strips[-1].right
        for (x0, y0), (x1, y1), normal in (
            ((left - 25, _END), (right + 25, _END), (0, -1, 0)),
            ((left, FAR_END + 4), (left, NEAR_END), (1, 0, 0)),
            ((right, NEAR_END), (right, FAR_END + 4), (-1, 0, 0)),
        ):
            length = float(np.hypot(x1 - x0, y1 - y0))
            brightness = float(self.lighting.shade(np.array([normal], dtype=float))[0])
            done = 0.0
            while done < length:
                width = min(self.rng.uniform(7, 16), length - done)
                a, b = (
                    np.array([x0, y0]) + np.array([x1 - x0, y1 - y0]) * (along / length)
                    for along in (done, done + width)
                )
                self._house(a, b, self.rng.uniform(5, 16), brightness)
                done += width

    def _house(self, a: np.ndarray, b: np.ndarray, height: float, brightness: float) -> None:
        colour = _FACADES[self.rng.integers(len(_FACADES))]

        def wall(u0: float, u1: float, z0: float, z1: float, paint: Colour) -> None:
            p, q = a + (b - a) * u0, a + (b - a) * u1
            corners = np.array([(*p, z0), (*q, z0), (*q, z1), (*p, z1)])
            self._fill(corners, paint, brightness)

        wall(0, 1, 0, height, colour)
        wall(0, 1, height - 0.4, height, (90, 90, 100))
        columns = max(2, int(np.hypot(*(b - a)) / 3))
        glass = (105, 95, 85) if self.rng.random() < 0.7 else (130, 135, 130)
        for column in range(columns):
            u0, u1 = (column + 0.25) / columns, (column + 0.75) / columns
            for floor in range(int(height / 3)):
                wall(u0, u1, floor * 3 + 1.0, floor * 3 + 2.4, glass)

    def _ground(self) -> None:
        ground: dict[str, Colour] = {
            'verge': (75, 120, 95), 'walk': (165, 168, 172), 'bike': (105, 105, 150),
            'road': (105, 104, 103), 'track': (120, 122, 125),
        }  # fmt: skip
        asphalt = ground['road']
        jitter = {kind: self.rng.uniform(0.88, 1.08) for kind in ground}
        if self.rng.random() < 0.4:
            ground['bike'] = asphalt
        self._flat(-90, 90, NEAR_END - 6, _END, (150, 152, 155))
        self._flat(-90, 90, FAR_END + 5, FAR_END + 13, asphalt)
        for strip in self.strips:
            colour = [part * jitter[strip.kind] for part in ground[strip.kind]]
            self._flat(strip.left, strip.right, NEAR_END - 6, FAR_END + 4, colour)
        for _ in range(8):  # repaired asphalt
            strip = self.strips[int(self.rng.integers(len(self.strips)))]
            if strip.kind != 'road':
                continue
            y, width = self.rng.uniform(2, FAR_END), self.rng.uniform(0.5, 1.4)
            grey = self.rng.uniform(80, 125)
            self._flat(
                strip.centre - width,
                strip.centre + width,
                y,
                y + self.rng.uniform(1, 5),
                (grey,) * 3,
            )
        for here, there in pairwise(self.strips):
            self._border(here, there)
        for strip in self.strips:
            if strip.kind == 'track':
                for x in (strip.centre - 0.72, strip.centre + 0.72):
                    self._flat(x - 0.05, x + 0.05, NEAR_END, FAR_END + 4, (70, 72, 78))

    def _border(self, here: Strip, there: Strip) -> None:
        x, kinds = here.right, {here.kind, there.kind}
        if kinds == {'road'} and here.heading == there.heading:
            for y in np.arange(NEAR_END, FAR_END, 6.0).tolist():
                self._flat(x - 0.07, x + 0.07, y, y + 3, _MARK)
        elif 'walk' in kinds and len(kinds) == 2:
            self._flat(x - 0.09, x + 0.09, NEAR_END, FAR_END + 4, (190, 192, 192))  # a kerb
        elif kinds != {'walk'} and 'verge' not in kinds:
            self._flat(x - 0.07, x + 0.07, NEAR_END, FAR_END + 4, _MARK)

    def _trees(self) -> None:
        for strip in (self.strips[0], self.strips[-1]):
            for y in np.arange(FAR_END, NEAR_END, -self.rng.uniform(6, 12)).tolist():
                if self.rng.random() < 0.35:
                    continue
                green = (
                    self.rng.uniform(40, 70),
                    self.rng.uniform(85, 125),
                    self.rng.uniform(55, 95),
                )
                height, radius = self.rng.uniform(2.2, 4.0), self.rng.uniform(0.6, 1.1)
                parts = [Limb((0, 0, 0), (0, 0, height), 0.12, (50, 65, 85), level=0)]
                for _ in range(6):
                    dx, dy, dz = self.rng.normal(0, 0.45, 3)
                    spot = (dx, dy, height + dz + 0.4)
                    size, shade = self.rng.uniform(0.6, 1.0), self.rng.uniform(0.85, 1.15)
                    leaf = (green[0] * shade, green[1] * shade, green[2] * shade)
                    parts.append(Limb(spot, spot, radius * size, leaf))
                for patch in Body(parts).patches(self.camera, self.lighting, strip.centre, y, 1):
                    self._draw(patch.outline, patch.colour)

    def _textured(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        texture = self.rng.normal(0, 3.5, (height, width))
        for cells, strength in ((8, 5.0), (24, 3.5)):
            coarse = self.rng.normal(0, strength, (cells, cells * width // height))
            texture = texture + cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.clip(image + texture[..., None], 0, 255).astype(np.uint8)
