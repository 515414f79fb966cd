"""A street with traffic, seen by a camera on a mast, as a function of continuous time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from .rendering import Block, Body, Camera, Light, Patch, clip_to_image, fill, paint
from .road_users import CLASSES
from .street import FAR_END, NEAR_END, Strip, sample_lanes, sample_strips

Box = tuple[float, float, float, float]

_GROUND = {
    'verge': (75, 120, 95), 'walk': (165, 168, 172), 'bike': (105, 105, 150),
    'road': (105, 104, 103), 'track': (120, 122, 125),
}  # fmt: skip
_MARK = (215, 220, 220)


@dataclass(frozen=True)
class Sprite:
    """What is painted of one participant.

    Args:
        track_id: the same number for the same participant while it passes once.
        class_id: index into :data:`~.road_users.CLASSES`.
        patches: its outlines in painting order.

    Examples:
        >>> sprites = TrafficScene(seed=1, size=(96, 64)).sprites_at(0)
        >>> all(isinstance(sprite, Sprite) for sprite in sprites)
        True
    """

    track_id: int
    class_id: int
    patches: tuple[Patch, ...]


@dataclass(frozen=True)
class SceneObject:
    """A participant in view at one instant.

    Args:
        track_id: the same number for the same participant while it passes once.
        class_id: index into :data:`~.road_users.CLASSES`.
        box: x1, y1, x2, y2 of what lies inside the image, hidden parts included, in pixels from
            the top-left corner of the image.
        visible: share of what lies inside the image that is not behind others.

    Examples:
        >>> SceneObject(track_id=7, class_id=1, box=(4, 4, 20, 12), visible=1.0).name
        'car'
    """

    track_id: int
    class_id: int
    box: Box
    visible: float

    @property
    def name(self) -> str:
        return CLASSES[self.class_id]


class TrafficScene:
    """One street, one camera, one light, endless traffic; all drawn from ``seed``.

    Args:
        seed: equal seeds (and arguments) give equal pixels, in any process.
        size: width and height of the image, pixels.
        classes: names of those who may appear; none leaves the street empty.

    Raises:
        ValueError: for an unknown class name.

    Examples:
        >>> scene = TrafficScene(seed=1, size=(320, 192))
        >>> scene.render(t=2.5).shape
        (192, 320, 3)
        >>> {item.name for item in scene.objects_at(2.5)} <= set(CLASSES)
        True
    """

    def __init__(
        self,
        seed: int | Sequence[int],
        size: tuple[int, int] = (1280, 720),
        classes: Sequence[str] = CLASSES,
    ) -> None:
        unknown = sorted(set(classes) - set(CLASSES))
        if unknown:
            raise ValueError(f'unknown traffic class {unknown}; known are {list(CLASSES)}')
        # One stream of random numbers for each concern: a change of one leaves the others alone.
        streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
        strips = sample_strips(streams[0])
        width, rng = strips[-1].right - strips[0].left, streams[1]
        self.camera = Camera(
            position=(rng.uniform(-0.45, 0.45) * width, 0.0, rng.uniform(8.0, 12.0)),
            target=(rng.uniform(-0.2, 0.2) * width, rng.uniform(25.0, 31.0), 0.5),
            focal=rng.uniform(1.35, 1.6) * size[0],
            size=size,
        )
        self.light = Light.sample(streams[2])
        self.lanes = sample_lanes(strips, classes, streams[3])
        self._travellers = sum(len(lane.travellers) for lane in self.lanes)
        self.backdrop = _backdrop(strips, self.camera, self.light, streams[4])

    def render(self, t: float) -> np.ndarray:
        """The image at ``t`` seconds, uint8 (H, W, 3), blue, green, red."""
        return self.draw(self.sprites_at(t))

    def draw(self, sprites: Sequence[Sprite]) -> np.ndarray:
        """The image with these sprites, the farthest first, uint8 (H, W, 3)."""
        image = self.backdrop.copy()
        for sprite in sprites:
            paint(image, sprite.patches)
        return image

    def sprites_at(self, t: float) -> list[Sprite]:
        """Everything in the image at ``t`` seconds, the farthest first."""
        camera_x, camera_y, _ = self.camera.position
        placed = [
            (abs(lane.strip.centre - camera_x), abs(state.y - camera_y), lane.strip, state)
            for lane in self.lanes
            for state in lane.states(t)
        ]
        # Lanes are parallel, so this is exact: of two strips only the one that is nearer sideways
        # can hide the other, and within a strip the one that is nearer along it.
        placed.sort(key=lambda item: item[:2], reverse=True)
        sprites = []
        for _, _, strip, state in placed:
            who = state.traveller
            patches = who.body.patches(
                self.camera, self.light, strip.centre, state.y, strip.heading
            )
            if patches and _extent(patches, self.camera.size) is not None:
                track_id = who.number + state.lap * self._travellers
                class_id = CLASSES.index(who.name)
                sprites.append(Sprite(track_id, class_id, tuple(patches)))
        return sprites

    def objects_at(self, t: float) -> list[SceneObject]:
        """Boxes and visibility of all in the image at ``t`` seconds, the farthest first."""
        return self.describe(self.sprites_at(t))

    def describe(self, sprites: Sequence[Sprite]) -> list[SceneObject]:
        """Boxes and visibility of these sprites, the farthest first, when drawn together."""
        width, height = self.camera.size
        owner = np.zeros((height, width), np.uint16)
        covered = []
        for number, sprite in enumerate(sprites, start=1):
            mask = np.zeros((height, width), np.uint8)
            for patch in sprite.patches:
                fill(mask, patch.outline, 1)
            owner[mask > 0] = number
            covered.append(int(mask.sum()))
        left_over = np.bincount(owner.ravel(), minlength=len(sprites) + 1)[1:]
        objects = []
        for sprite, total, seen in zip(sprites, covered, left_over, strict=True):
            box = _extent(sprite.patches, self.camera.size)
            if total and box is not None:
                visible = float(seen / total)
                objects.append(SceneObject(sprite.track_id, sprite.class_id, box, visible))
        return objects


def _extent(patches: Sequence[Patch], size: tuple[int, int]) -> Box | None:
    """The box around what lies in the image, or None; the image's edges are 0 and ``size``."""
    outlines = [patch.outline + 0.5 for patch in patches]  # from pixel centres to pixel edges
    points = np.concatenate(outlines)
    if points.min() < 0 or (points > size).any():
        points = np.concatenate([clip_to_image(outline, size) for outline in outlines])
        if len(points) == 0:
            return None
    # clipping leaves corners outside by the rounding of a float
    corners = np.clip([points.min(0), points.max(0)], 0, size)
    (x1, y1), (x2, y2) = corners.tolist()
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _backdrop(
    strips: Sequence[Strip], camera: Camera, light: Light, rng: np.random.Generator
) -> np.ndarray:
    """What does not move: sky, ground, markings, houses and some texture, uint8 (H, W, 3)."""
    width, height = camera.size
    image = np.zeros((height, width, 3), np.uint8)
    image[:] = np.multiply((230, 210, 195), light.ambient)

    def flat(x0: float, x1: float, colour: Any, y0: float = NEAR_END, y1: float = FAR_END) -> None:
        corners = np.array([(x0, y0, 0), (x1, y0, 0), (x1, y1, 0), (x0, y1, 0.0)])
        tone = np.array(colour) * light.shade(np.array([(0, 0, 1.0)]))[0]
        paint(image, [Patch(camera.pixels(camera.view(corners)), tuple(tone.clip(0, 255)))])

    flat(-40, 40, (150, 152, 155), y1=FAR_END + 20)
    for strip in strips:
        flat(strip.left, strip.right, np.multiply(_GROUND[strip.kind], rng.uniform(0.88, 1.08)))
    for here, there in pairwise(strips):
        dashed = here.kind == there.kind == 'road' and here.heading == there.heading
        for y in np.arange(NEAR_END, FAR_END, 6.0 if dashed else FAR_END).tolist():
            flat(here.right - 0.08, here.right + 0.08, _MARK, y, y + 3 if dashed else FAR_END)
    houses = []
    for x in np.arange(-40.0, 40.0, 10.0).tolist():
        houses.append((x, FAR_END + 18, 10.0))
    for y in np.arange(FAR_END - 8, NEAR_END + 2, -10.0).tolist():
        houses += [(strips[0].left - 5, y, 8.0), (strips[-1].right + 5, y, 8.0)]
    for x, y, deep in houses:  # the far ones come first
        grey, warm = rng.uniform(110, 190), rng.uniform(0.8, 1.2)
        colour = (grey * (2 - warm), grey, min(grey * warm, 255.0))
        house = Body([Block((0, deep), 10.0, (0, rng.uniform(4, 7)), colour)])
        patches = house.patches(camera, light, x, y, 1)
        if patches:
            paint(image, patches)
    texture = rng.normal(0, 3.5, (height, width))
    coarse = rng.normal(0, 5.0, (8, 8 * width // height + 1))
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(image + (texture + smooth)[..., None], 0, 255).astype(np.uint8)
