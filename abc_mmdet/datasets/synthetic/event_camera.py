"""An event camera that looks at a :class:`TrafficScene`.

The model is that of ESIM (Rebecq et al., 2018): a pixel remembers the logarithm of the brightness
at its last event and sends the next one when it has changed by a threshold. Between two rendered
frames the logarithm is taken to change in a straight line, which gives events their times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from .traffic_scene import Sprite, TrafficScene

EVENT = np.dtype([('t', '<i8'), ('x', '<u2'), ('y', '<u2'), ('p', 'u1')])
"""Time in µs, pixel, polarity (1 brighter, 0 darker)."""


@dataclass(frozen=True)
class EventSensor:
    """What distinguishes one sensor from another.

    Args:
        threshold: change of the natural logarithm of the brightness that makes an event.
        mismatch: standard deviation of the threshold among pixels, relative to it.
        refractory_us: a change makes a pixel send no second event within this time.
        noise_hz: events per pixel and second without a cause.
        hot_share: share of pixels that send without end.
        hot_hz: how often they do.
        dark: brightness (0 to 255) that is added to all, so that the dark is not infinitely dark.

    Examples:
        >>> EventSensor(noise_hz=0).threshold
        0.25
    """

    threshold: float = 0.25
    mismatch: float = 0.08
    refractory_us: int = 300
    noise_hz: float = 0.2
    hot_share: float = 2e-5
    hot_hz: float = 200.0
    dark: float = 8.0


class EventCamera:
    """Turns a row of brightness images into events.

    Args:
        sensor: its properties.
        size: width and height, pixels.
        rng: source of everything random.

    Examples:
        >>> camera = EventCamera(EventSensor(mismatch=0), (2, 1), np.random.default_rng(0))
        >>> len(camera.see(np.array([[50, 50]], np.uint8), t_us=0))
        0
        >>> set(camera.see(np.array([[50, 250]], np.uint8), t_us=1000)['x'].tolist())
        {1}
    """

    def __init__(self, sensor: EventSensor, size: tuple[int, int], rng: np.random.Generator):
        self.sensor, self.rng = sensor, rng
        self.width, self.height = size
        pixels = self.width * self.height
        spread = 1 + sensor.mismatch * rng.standard_normal(pixels)
        self._threshold = (sensor.threshold * np.clip(spread, 0.5, 1.5)).astype(np.float32)
        self._hot = np.flatnonzero(rng.random(pixels) < sensor.hot_share)
        self._before: np.ndarray | None = None
        self._level = np.zeros(pixels, np.float32)
        self._last_us = np.full(pixels, -sensor.refractory_us, np.int64)
        self._now_us = 0

    def see(self, image: np.ndarray, t_us: int) -> np.ndarray:
        """Events since the last image, in order of time; none for the first one.

        Args:
            image: uint8 ``(H, W, 3)``, blue, green, red, or ``(H, W)``.
            t_us: when it is seen, µs; later than the one before.

        Returns:
            Structured array of :data:`EVENT`, from the time of the last image to ``t_us``.

        Raises:
            ValueError: an image that is no later.
        """
        if image.ndim == 3:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        brightness = np.log(image.ravel().astype(np.float32) + np.float32(self.sensor.dark))
        if self._before is None:
            self._before, self._now_us = brightness, t_us
            # somewhere between the last event and the next
            phase = self.rng.uniform(-0.5, 0.5, brightness.shape).astype(np.float32)
            self._level = brightness + phase * self._threshold
            return np.empty(0, EVENT)
        if t_us <= self._now_us:
            raise ValueError(f'an image at {t_us} µs after one at {self._now_us} µs')
        pixel, time, polarity = self._changes(brightness, t_us)
        noise_pixel, noise_time = self._noise(t_us)
        pixel = np.concatenate([pixel, noise_pixel])
        time = np.concatenate([time, noise_time])
        polarity = np.concatenate([polarity, self.rng.integers(0, 2, len(noise_pixel))])
        self._before, self._now_us = brightness, t_us
        order = np.lexsort((pixel, time))
        events = np.empty(len(order), EVENT)
        events['t'], events['p'] = time[order], polarity[order]
        events['y'], events['x'] = np.divmod(pixel[order], self.width)
        return events

    def _changes(
        self, brightness: np.ndarray, t_us: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        before = self._before
        assert before is not None
        away = (brightness - self._level) / self._threshold
        pixel = np.flatnonzero(np.abs(away) >= 1)
        count = np.abs(away[pixel]).astype(np.int64)
        sign = np.sign(away[pixel])
        step = sign * self._threshold[pixel]
        start, level = before[pixel], self._level[pixel].copy()
        self._level[pixel] += count * step
        duration = t_us - self._now_us
        slope = brightness[pixel] - start
        slope[slope == 0] = 1.0  # a level that was crossed with the noise of rounding alone
        pixels, times, polarities = [], [], []
        for number in range(1, int(count.max(initial=0)) + 1):
            some = count >= number
            level[some] += step[some]
            part = np.clip((level[some] - start[some]) / slope[some], 0, 1)
            time = self._now_us + (part * duration).astype(np.int64)
            rested = time - self._last_us[pixel[some]] >= self.sensor.refractory_us
            self._last_us[pixel[some][rested]] = time[rested]
            pixels.append(pixel[some][rested])
            times.append(time[rested])
            polarities.append(sign[some][rested] > 0)
        if not pixels:
            return pixel, np.empty(0, np.int64), np.empty(0, np.int64)
        return np.concatenate(pixels), np.concatenate(times), np.concatenate(polarities)

    def _noise(self, t_us: int) -> tuple[np.ndarray, np.ndarray]:
        seconds = (t_us - self._now_us) / 1e6
        pixels = self.width * self.height
        number = self.rng.poisson(self.sensor.noise_hz * seconds * pixels)
        hot = np.repeat(self._hot, self.rng.poisson(self.sensor.hot_hz * seconds, len(self._hot)))
        pixel = np.concatenate([self.rng.integers(0, pixels, number), hot])
        return pixel, self.rng.integers(self._now_us, t_us, len(pixel))


def video(
    scene: TrafficScene,
    begin: float,
    seconds: float,
    rate: float,
    sensor: EventSensor,
    rng: np.random.Generator,
) -> Iterator[tuple[int, np.ndarray, list[Sprite]]]:
    """A recording of the scene, frame by frame.

    Args:
        begin: time of the scene at which the recording begins, s.
        seconds: how long it is.
        rate: rendered frames per second; the camera interpolates between them.
        sensor: the camera.
        rng: of its noise.

    Yields:
        Time since the recording began (µs), the events since the frame before, what was in view.
    """
    camera = EventCamera(sensor, scene.camera.size, rng)
    for frame in range(round(seconds * rate) + 1):
        sprites = scene.sprites_at(begin + frame / rate)
        t_us = round(frame * 1e6 / rate)
        yield t_us, camera.see(scene.draw(sprites), t_us), sprites
