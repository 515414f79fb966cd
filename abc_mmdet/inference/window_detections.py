"""Detections in one window of an event stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abc_mmdet.visualization import draw_events, with_caption

from .detections import Detections


@dataclass(frozen=True, eq=False, repr=False)
class WindowDetections(Detections):
    """Detections in a window of events, best first; boxes are in pixels of the sensor.

    Attributes:
        source: the window as the network was shown it, stacked histogram ``(2 * bins, H, W)``.
        time_us: end of the window, in the time of the recording, µs.
        latency_ms: from the complete window to its detections: waiting (of a live stream), making
            the representation, network and suppression.
        number: of the window in the stream, those that were dropped included.
        segment: how often the clock of the recording had jumped.
        num_events: in the window; of a representation from disk the sum of its counts.
        is_late: it took longer than from one window to the next.
    """

    time_us: int = 0
    latency_ms: float = 0.0
    number: int = 0
    segment: int = 0
    num_events: int = 0
    is_late: bool = False

    def __repr__(self) -> str:
        text = super().__repr__().removesuffix('>').replace('in an image', 'in events', 1)
        return f'{text} until {self.time_us / 1e6:.3f} s, after {self.latency_ms:.0f} ms>'

    def image(self) -> np.ndarray:
        """The events in pixels of the sensor, uint8 ``(H, W, 3)``, blue, green, red."""
        assert isinstance(self.source, np.ndarray)
        width, height = self.size
        drawn = draw_events(self.source, max(1, round(height / self.source.shape[1])))
        rows, columns = height - drawn.shape[0], width - drawn.shape[1]
        # half of an odd side is rounded down
        return np.pad(drawn, ((0, max(rows, 0)), (0, max(columns, 0)), (0, 0)), constant_values=255)

    def draw_with_time(self, name: str, score_thr: float = 0.3) -> np.ndarray:
        """:meth:`draw`, with the name of the recording and the time in a line below."""
        count = f'{self.num_events:,} events' if self.num_events else 'no event'
        return with_caption(self.draw(score_thr), f'{name}  {self.time_us / 1e6:.2f} s  {count}')
