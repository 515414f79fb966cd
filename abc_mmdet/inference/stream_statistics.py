"""What happened on the way from a stream of events to detections."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

_MOST = 100_000
"""Latencies that are remembered, of the last windows: 83 minutes at 50 ms."""


@dataclass
class StreamStatistics:
    """Counts and times of one stream; they grow while it runs.

    Attributes:
        step_ms: from window to window.
        windows: that were complete: detected in, or dropped.
        empty: of these, without any event.
        late: of those detected in, with a latency above ``step_ms``: a live stream does not wait.
        dropped: not detected in, because newer windows were waiting (``when_late='skip'``).
        jumps: of the clock; memory begins anew behind each.
        events: that came.
        outside: of these, outside of the sensor, left out.
        corrected: of these, with a time smaller than one before it, which they were given.
        broken: of these, with a time of their own far ahead, left out.
        unused: of these, in no window, as those behind the last one; known when the stream ends.
        busy_s: seconds in which windows were read and detected in; not those of who uses them.
        remarks: what else is wrong with the source.

    Examples:
        >>> statistics = StreamStatistics(step_ms=50)
        >>> [statistics.detected(latency_ms) for latency_ms in (20.0, 30.0, 70.0)]
        [False, False, True]
        >>> statistics.windows, statistics.late, statistics.median_ms
        (3, 1, 30.0)
    """

    step_ms: float
    windows: int = 0
    empty: int = 0
    late: int = 0
    dropped: int = 0
    jumps: int = 0
    events: int = 0
    outside: int = 0
    corrected: int = 0
    broken: int = 0
    unused: int = 0
    busy_s: float = 0.0
    remarks: list[str] = field(default_factory=list)
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST), repr=False)

    def detected(self, latency_ms: float) -> bool:
        """Count a window; whether it was late."""
        self.windows += 1
        self._latencies.append(latency_ms)
        is_late = latency_ms > self.step_ms
        self.late += is_late
        return is_late

    @property
    def median_ms(self) -> float:
        """Latency of half of the windows, ms; NaN without any."""
        return self._quantile(0.5)

    @property
    def p95_ms(self) -> float:
        """Latency of 95 of 100 windows, ms; NaN without any."""
        return self._quantile(0.95)

    def _quantile(self, share: float) -> float:
        return float(np.quantile(self._latencies, share)) if self._latencies else float('nan')

    @property
    def real_time_factor(self) -> float:
        """Seconds of the recording per second of work; above 1 a live stream could be followed."""
        return self.windows * self.step_ms / 1000 / self.busy_s if self.busy_s else float('nan')

    def summary(self) -> str:
        """Two lines for a person."""
        return (
            f'{self.windows} windows of {self.step_ms:g} ms in {self.busy_s:.1f} s: '
            f'{self.real_time_factor:.2f} x real time; latency per window: median '
            f'{self.median_ms:.1f} ms, 95 % within {self.p95_ms:.1f} ms\n'
            f'{self.events:,} events; windows: {self.empty} empty, {self.late} late, '
            f'{self.dropped} dropped'
        )

    def to_json(self) -> dict[str, Any]:
        """All counts and times."""
        counts = {f.name: getattr(self, f.name) for f in fields(self) if f.name[0] != '_'}
        times = ('median_ms', 'p95_ms', 'real_time_factor')
        found = {name: getattr(self, name) for name in times}
        known = {name: None if math.isnan(v) else round(v, 3) for name, v in found.items()}
        return {**counts, 'busy_s': round(self.busy_s, 3), **known}

    def warnings(self) -> list[str]:
        """What was left out, changed or found wrong, one line each."""
        found = [
            (self.outside, 'events outside of the sensor, left out'),
            (self.corrected, 'times smaller than one before them, put in order'),
            (self.broken, 'events with a time of their own far ahead, left out'),
            (self.jumps, 'jumps of the clock, behind each of which memory began anew'),
        ]
        return [*(f'{what}: {number:,}' for number, what in found if number), *self.remarks]
