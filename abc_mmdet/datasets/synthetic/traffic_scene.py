"""A street with traffic, seen by a camera on a mast, as a function of continuous time.

It is there so that everything in this project can run without a download: the demo trains on it,
tests exercise tools and data sets with it, and an event-camera simulator can ask for an image at
any instant. Shapes, sizes, perspective, occlusion and traffic lights are those of a street; looks
are simple. It is not a benchmark: a figure reached on it says nothing about real traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .backdrop import Backdrop
from .camera import Camera, clip_to_rectangle
from .lighting import Lighting
from .painting import blend, paint, silhouette
from .participants import CLASSES
from .solids import Body, Patch
from .street import FAR_END, Strip, TravellerState, sample_lanes, sample_strips

_FADE = 6.0  # metres before the far end over which participants dissolve in the haze


@dataclass(frozen=True)
class Sprite:
    """What is painted of one participant.

    Args:
        track_id: the same number for the same participant while it passes once.
        class_id: index into :data:`~.participants.CLASSES`.
        patches: its outlines in painting order.
        shadow: outline on the ground, (N, 2) pixels; no points when the sun is weak.
        opacity: less than 1 in the haze at the far end of the street.
    """

    track_id: int
    class_id: int
    patches: tuple[Patch, ...]
    shadow: np.ndarray
    opacity: float


@dataclass(frozen=True)
class SceneObject:
    """A participant in view at one instant.

    Args:
        track_id: the same number for the same participant while it passes once.
        class_id: index into :data:`~.participants.CLASSES`.
        box: x1, y1, x2, y2 of what lies inside the frame, hidden parts included, in pixels from
            the top-left corner of the frame.
        visible: share of what lies inside the frame that is not behind others or in the haze.
    """

    track_id: int
    class_id: int
    box: tuple[float, float, float, float]
    visible: float

    @property
    def name(self) -> str:
        return CLASSES[self.class_id]


class TrafficScene:
    """One street, one camera, one time of day, endless traffic; all drawn from ``seed``.

    Args:
        seed: equal seeds (and arguments) give equal pixels, in any process.
        size: width and height of the frame, pixels.
        classes: names of those who may appear; none leaves the street empty.
        camera: instead of a random one.
        lighting: instead of a random one.

    Raises:
        ValueError: for an unknown class name.
    """

    def __init__(
        self,
        seed: int | Sequence[int],
        size: tuple[int, int] = (1280, 720),
        classes: Sequence[str] = CLASSES,
        camera: Camera | None = None,
        lighting: Lighting | None = None,
    ) -> None:
        unknown = sorted(set(classes) - set(CLASSES))
        if unknown:
            raise ValueError(f'unknown traffic class {unknown}; known are {list(CLASSES)}')
        # One stream of random numbers for each concern: a change of one leaves the others alone.
        streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
        strips = sample_strips(streams[0])
        width = strips[-1].right - strips[0].left
        self.camera = camera or _sample_camera(size, width, streams[1])
        self.lighting = lighting or Lighting.sample(streams[2])
        self.lanes = sample_lanes(strips, classes, streams[3])
        self._travellers = sum(len(lane.travellers) for lane in self.lanes)
        self.backdrop = Backdrop(strips, self.camera, self.lighting, streams[4]).image
        self._sprites: dict[tuple[int, int], tuple[float, Sprite | None]] = {}
        self._in_shade = cv2.convertScaleAbs(self.backdrop, alpha=1 - self.lighting.shadow)

    def render(self, t: float) -> np.ndarray:
        """The frame at ``t`` seconds, uint8 (H, W, 3), blue, green, red."""
        return self.draw(self.sprites_at(t))

    def draw(self, sprites: Sequence[Sprite]) -> np.ndarray:
        """The frame with these sprites, the farthest first, uint8 (H, W, 3)."""
        image = self.backdrop.copy()
        for sprite in sprites:
            if len(sprite.shadow):
                blend(image, self._in_shade, sprite.shadow, sprite.opacity)
        for sprite in sprites:
            paint(image, sprite.patches, sprite.opacity)
        return image

    def sprites_at(self, t: float) -> list[Sprite]:
        """Everything in the frame at ``t`` seconds, the farthest first."""
        camera_x, camera_y, _ = self.camera.position
        placed = [
            (abs(lane.strip.centre - camera_x), abs(state.y - camera_y), lane.strip, state)
            for lane in self.lanes
            for state in lane.states(t)
        ]
        # Lanes are parallel, so this is exact: of two strips only the one that is nearer sideways
        # can hide the other, and within a strip the one that is nearer along it.
        placed.sort(key=lambda item: item[:2], reverse=True)
        before, self._sprites = self._sprites, {}
        for _, _, strip, state in placed:
            key = state.traveller.number, state.lap
            y, sprite = before.get(key, (None, None))
            if y != state.y:  # whoever stands looks as before
                sprite = self._sprite(strip, state)
            self._sprites[key] = state.y, sprite
        return [sprite for _, sprite in self._sprites.values() if sprite is not None]

    def _sprite(self, strip: Strip, state: TravellerState) -> Sprite | None:
        opacity = min(1.0, (FAR_END - state.y) / _FADE)
        if opacity <= 0:
            return None
        participant = state.traveller.participant
        body = participant.body(state.moved)
        x, y, heading = strip.centre, state.y, strip.heading
        patches = body.patches(self.camera, self.lighting, x, y, heading)
        if _extent(patches, self.camera.size, cut=False) is None:
            return None
        return Sprite(
            track_id=state.traveller.number + state.lap * self._travellers,
            class_id=CLASSES.index(participant.name),
            patches=tuple(patches),
            shadow=self._shadow(body, x, y, heading),
            opacity=opacity,
        )

    def _shadow(self, body: Body, x: float, y: float, heading: int) -> np.ndarray:
        if self.lighting.shadow <= 0:
            return np.empty((0, 2))
        points = body.world(x, y, heading)
        sun = np.asarray(self.lighting.sun)
        ground = points - points[:, 2:] * (sun / sun[2])
        hull = cv2.convexHull(ground[:, :2].astype(np.float32))[:, 0]
        corners = np.concatenate([hull, np.zeros((len(hull), 1))], axis=1)
        return self.camera.outline(self.camera.view(corners))

    def objects_at(self, t: float) -> list[SceneObject]:
        """Boxes and visibility of all in the frame at ``t`` seconds, the farthest first."""
        return self.describe(self.sprites_at(t))

    def describe(self, sprites: Sequence[Sprite]) -> list[SceneObject]:
        """Boxes and visibility of these sprites, the farthest first, when drawn together."""
        width, height = size = self.camera.size
        owner = np.zeros((height, width), np.uint16)
        covered = []
        for number, sprite in enumerate(sprites, start=1):
            mask = silhouette(sprite.patches, size)
            covered.append(int(mask.sum()))
            owner[mask > 0] = number
        left_over = np.bincount(owner.ravel(), minlength=len(sprites) + 1)[1:]
        objects = []
        for sprite, total, seen in zip(sprites, covered, left_over, strict=True):
            box = _extent(sprite.patches, size)
            if total == 0 or box is None:
                continue
            visible = float(sprite.opacity * seen / total)
            objects.append(SceneObject(sprite.track_id, sprite.class_id, box, visible))
        return objects


def _extent(
    patches: Sequence[Patch], size: tuple[int, int], cut: bool = True
) -> tuple[float, float, float, float] | None:
    """The box around what lies in the frame, or None; the frame's edges are 0 and ``size``.

    With ``cut=False`` it is the part in the frame of the box around everything: larger, but quick.
    """
    if not patches:
        return None
    outlines = [patch.outline + 0.5 for patch in patches]  # from pixel centres to pixel edges
    points = np.concatenate(outlines)
    if cut and (points.min() < 0 or (points > size).any()):
        points = np.concatenate([clip_to_rectangle(line, 0, 0, *size) for line in outlines])
        if len(points) == 0:
            return None
    low, high = np.clip(points.min(0), 0, size), np.clip(points.max(0), 0, size)
    if not (low < high).all():
        return None
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _sample_camera(size: tuple[int, int], street_width: float, rng: np.random.Generator) -> Camera:
    """On a mast beside or above the street, looking down along it."""
    return Camera(
        position=(rng.uniform(-0.45, 0.45) * street_width, 0.0, rng.uniform(8.0, 12.0)),
        target=(rng.uniform(-0.2, 0.2) * street_width, rng.uniform(25.0, 31.0), 0.5),
        focal=rng.uniform(1.35, 1.6) * size[0],
        size=size,
    )
