"""Recordings as cameras write them, decoded by the package faery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from abc_mmdet.errors import UserError

from . import aedat4
from .reader import Columns, EventReader, damage_is_named

_NO_SIZE = (65535, 65535)  # what faery is told to answer when the header has no size
_HEAD = 1 << 16
_WORDS = {'.dat': 8, 'evt2': 4, 'evt2.1': 8, 'evt3': 2}  # bytes


class CameraFileReader(EventReader):
    """Prophesee's ``.raw`` (EVT2, EVT2.1, EVT3) and ``.dat``, and iniVation's ``.aedat4``.

    Of ``.dat`` those with contrast changes (CD), of ``.aedat4`` the first stream of events.

    Examples:
        >>> CameraFileReader(Path('recording.raw')).size  # doctest: +SKIP
        (640, 480)
    """

    def __init__(
        self, path: Path, size: tuple[int, int] | None = None, time_unit: str | None = None
    ) -> None:
        super().__init__(path, size, time_unit)
        faery = _faery(path)
        with damage_is_named(path), path.open('rb') as file:
            head = file.read(_HEAD)
        # faery would decode anything as EVT3
        is_aedat4 = path.suffix.lower() == '.aedat4'
        if not head.startswith(aedat4.MAGIC if is_aedat4 else b'%'):
            raise UserError(f'{path} has no header: it is damaged, empty or no recording.')
        with damage_is_named(path):
            if is_aedat4 and (what := aedat4.check_header(path)) is not None:
                self.remarks.append(f'{path} {what}')
            stream = faery.events_stream_from_file(path, dimensions_fallback=size or _NO_SIZE)
            dimensions = tuple(stream.dimensions())
        self.size = None if dimensions == _NO_SIZE else dimensions
        if rest := _rest(path, head):
            self.remarks.append(
                f'{path} is cut off: {rest} bytes of another event are left at its end'
            )

    def chunks(self, size: tuple[int, int]) -> Iterator[Columns]:
        faery = _faery(self.path)
        cause = f'it is damaged, or its sensor is not {size[0]}x{size[1]}'
        with damage_is_named(self.path, cause):
            for events in faery.events_stream_from_file(self.path, dimensions_fallback=size):
                yield Columns(events['x'], events['y'], events['on'], events['t'])


def _rest(path: Path, head: bytes) -> int:
    """Bytes at the end that are no whole word; faery passes over them."""
    lines = head.split(b'\n')
    texts = []
    for line in lines:
        if not line.startswith(b'%'):
            break
        texts.append(line)
        if line.rstrip() == b'% end':
            break
    body = path.stat().st_size - sum(len(line) + 1 for line in texts)
    kind = path.suffix.lower()
    if kind == '.dat':
        return (body - 2) % _WORDS[kind]  # two bytes tell type and size of an event
    text = b'\n'.join(texts).lower()
    for version, names in (
        ('evt2.1', (b'evt 2.1', b'evt21')),
        ('evt2', (b'evt 2.0', b'evt2')),
        ('evt3', (b'evt 3.0', b'evt3')),
    ):
        if any(name in text for name in names):
            return body % _WORDS[version]
    return 0


def _faery(path: Path) -> ModuleType:
    try:
        import faery
    except ImportError as error:
        raise UserError(
            f'{path}: {path.suffix} files are read by the package faery: pip install faery'
        ) from error
    return faery
