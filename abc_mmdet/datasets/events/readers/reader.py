"""What all readers of event recordings have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from abc_mmdet.errors import UserError

CHUNK = 1 << 20
"""Events read at a time."""


class Columns(NamedTuple):
    """Events, in the order of the recording.

    Attributes:
        x, y: pixels, ``(N,)`` integers.
        p: polarity, ``(N,)``; above 0 is brighter.
        t: times, ``(N,)`` integers, µs.

    Examples:
        >>> events = Columns(x=np.array([3]), y=np.array([4]), p=np.array([1]), t=np.array([50]))
        >>> len(events.t)
        1
    """

    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    t: np.ndarray


class EventReader(ABC):
    """Reads one kind of file, in chunks, so that the memory does not depend on its length.

    Args:
        path: of the recording.
        size: width and height of the sensor, where the user gave them.
        time_unit: ``us``, ``ms``, ``s`` or ``ns``, where the user gave it.

    Attributes:
        size: width and height that the file states, pixels; None if it does not.
        remarks: what is wrong with the file and did not keep it from being read; complete when
            :meth:`chunks` has ended.

    Raises:
        UserError: a file that is damaged or of another kind, or a missing package.
    """

    size: tuple[int, int] | None = None

    def __init__(
        self, path: Path, size: tuple[int, int] | None = None, time_unit: str | None = None
    ) -> None:
        self.path, self.time_unit = path, time_unit
        self.remarks: list[str] = []

    @abstractmethod
    def chunks(self, size: tuple[int, int]) -> Iterator[Columns]:
        """All events, in order, as they are in the file.

        Args:
            size: width and height of the sensor, pixels.

        Raises:
            UserError: the file is damaged.
        """


@contextmanager
def damage_is_named(path: Path, cause: str = 'it is damaged or no recording') -> Iterator[None]:
    """Whatever a library raises inside is said of this file."""
    try:
        yield
    except UserError:
        raise
    except BaseException as error:
        # What libraries written in Rust raise when they fail inside is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != 'PanicException':
            raise
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f'{path} cannot be read: {cause} ({text}).') from error
