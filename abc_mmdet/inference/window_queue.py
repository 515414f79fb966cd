"""Windows of a live stream that wait to be detected in."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from abc_mmdet.errors import UserError

T = TypeVar('T')
WHEN_LATE = ('process', 'skip')
CAPACITY = 8
"""Windows that wait at most."""


class WindowQueue(Generic[T]):
    """Between a thread that receives windows and the one that detects in them.

    Args:
        when_late: ``process``: who puts more than :data:`CAPACITY` windows waits, and a socket's
            sender with it; ``skip``: windows that have waited longer than ``patience_s`` while
            newer ones are there are dropped, and the oldest one of more than :data:`CAPACITY`.
        patience_s: seconds.
        clock: seconds that pass.

    Attributes:
        dropped: number of windows.

    Raises:
        UserError: another ``when_late``.

    Examples:
        >>> now = iter([0.0, 0.0, 1.0])
        >>> queue = WindowQueue('skip', patience_s=0.5, clock=lambda: next(now))
        >>> queue.put('old'), queue.put('new')
        (True, True)
        >>> queue.take()
        (0.0, 'new')
        >>> queue.dropped
        1
    """

    def __init__(
        self,
        when_late: str,
        patience_s: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if when_late not in WHEN_LATE:
            raise UserError(f'when_late={when_late!r}: give one of {", ".join(WHEN_LATE)}.')
        self.when_late, self.patience_s, self._clock = when_late, patience_s, clock
        self.dropped = 0
        self._waiting: deque[tuple[float, T]] = deque()
        self._changed = threading.Condition()
        self._is_full = False  # nothing more comes
        self._is_left = False  # nobody takes any more
        self._error: BaseException | None = None

    def put(self, window: T) -> bool:
        """Append a window that has just become complete; False if nobody wants any more."""
        arrived = self._clock()
        with self._changed:
            while self.when_late == 'process' and len(self._waiting) == CAPACITY:
                if self._is_left:
                    break
                self._changed.wait()
            if self._is_left:
                return False
            if len(self._waiting) == CAPACITY:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append((arrived, window))
            self._changed.notify_all()
        return True

    def take(self) -> tuple[float, T] | None:
        """When the next window arrived, and the window; waits for it. None when all are done.

        Raises:
            Exception: that with which the source has ended, after the windows before it.
        """
        with self._changed:
            while not self._waiting and not self._is_full:
                self._changed.wait()
            if not self._waiting:
                if self._error is not None:
                    raise self._error
                return None
            if self.when_late == 'skip':
                oldest = self._clock() - self.patience_s
                while len(self._waiting) > 1 and self._waiting[0][0] < oldest:
                    self._waiting.popleft()
                    self.dropped += 1
            taken = self._waiting.popleft()
            self._changed.notify_all()
            return taken

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes; ``error`` if that is why."""
        with self._changed:
            self._is_full, self._error = True, error
            self._changed.notify_all()

    def leave(self) -> None:
        """Nobody takes any more: whoever puts is told."""
        with self._changed:
            self._is_left = True
            self._waiting.clear()
            self._changed.notify_all()


def received(windows: Iterator[T], queue: WindowQueue[T]) -> threading.Thread:
    """Start a thread that puts all windows into the queue.

    It ends with the process: a source that waits for a camera cannot be told to stop.
    """

    def receive() -> None:
        try:
            for window in windows:
                if not queue.put(window):
                    return
        except BaseException as error:  # of the source, for whoever takes
            queue.end(error)
        else:
            queue.end()

    thread = threading.Thread(target=receive, name='event-source', daemon=True)
    thread.start()
    return thread
