"""Daylight of a scene: how bright a face is and where the shadows fall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Lighting:
    """Sun and sky.

    Args:
        sun: unit vector to the sun, in the axes of the street.
        ambient: brightness of a face in the shade.
        diffuse: what the sun adds to a face at right angles to it.
        tint: factors for blue, green and red.
        shadow: how much darker the ground in the shade is, 0 (none) to 1.
    """

    sun: tuple[float, float, float]
    ambient: float
    diffuse: float
    tint: tuple[float, float, float]
    shadow: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Lighting:
        """Clear sun, a grey day or dusk."""
        elevation, azimuth = rng.uniform(0.5, 1.2), rng.uniform(0, 2 * np.pi)
        sun = (
            float(np.cos(elevation) * np.cos(azimuth)),
            float(np.cos(elevation) * np.sin(azimuth)),
            float(np.sin(elevation)),
        )
        weather = rng.choice(['clear', 'grey', 'dusk'], p=[0.55, 0.3, 0.15])
        if weather == 'clear':
            return cls(sun, rng.uniform(0.6, 0.7), 0.4, (0.97, 1.0, 1.03), rng.uniform(0.3, 0.5))
        if weather == 'grey':
            return cls(sun, rng.uniform(0.72, 0.82), 0.15, (1.03, 1.0, 0.98), 0.12)
        return cls(sun, rng.uniform(0.42, 0.52), 0.2, (0.9, 0.95, 1.08), 0.15)

    @property
    def ground(self) -> float:
        """Brightness of flat ground in the sun."""
        return self.ambient + self.diffuse * self.sun[2]

    def shade(self, normals: np.ndarray) -> np.ndarray:
        """Brightness of faces with these unit normals (N, 3); a zero normal is a round thing."""
        round_thing = ~normals.any(axis=1)
        facing = np.where(round_thing, 0.5, np.maximum(normals @ np.asarray(self.sun), 0))
        return self.ambient + self.diffuse * facing

    def tinted(self, colours: np.ndarray, brightness: np.ndarray | float) -> np.ndarray:
        """The colours (N, 3) as seen at these brightnesses (N,): 0 to 255, (N, 3)."""
        return np.minimum(255.0, colours * np.asarray(self.tint) * np.expand_dims(brightness, -1))
