"""The header of an AEDAT4 file: whether it can be read, and whether the file is whole."""

from __future__ import annotations

import struct
from pathlib import Path

MAGIC = b'#!AER-DAT4'
_LENGTH = 14  # where the length of the header stands, behind '#!AER-DAT4.0\r\n'
_LONGEST = 1 << 24  # bytes
_POSITION = 1  # of the header's fields, which are compression, data table position, description


def check_header(path: Path) -> str | None:
    """What is wrong with the end of the file, in words; None if nothing is.

    The header is a FlatBuffer (inivation.gitlab.io/dv/dv-docs, "AEDAT 4.0"). It tells where the
    table of all packets lies, behind the last one; the program that records writes that when it
    closes the file.

    Raises:
        ValueError, struct.error: the header is damaged. faery takes its description, which is XML,
            for text as it is, and ends the whole process if it is none.
    """
    with path.open('rb') as file:
        file.seek(_LENGTH)
        (length,) = struct.unpack('<I', file.read(4))
        header = file.read(min(length, _LONGEST))
    if len(header) < length:
        raise ValueError('it ends inside of its header')
    header[max(header.find(b'<'), 0) :].decode('utf-8')
    position = _table_position(header)
    if position <= 0:
        return 'was not closed by the program that recorded it, so its end may be missing'
    if position >= path.stat().st_size:
        return 'is cut off: packets are missing at its end'
    return None


def _table_position(header: bytes) -> int:
    (root,) = struct.unpack_from('<I', header, 0)
    (back,) = struct.unpack_from('<i', header, root)
    fields = root - back
    if fields < 0:
        raise ValueError('its header is damaged')
    (size,) = struct.unpack_from('<H', header, fields)
    entry = 4 + 2 * _POSITION
    place = struct.unpack_from('<H', header, fields + entry)[0] if size >= entry + 2 else 0
    return struct.unpack_from('<q', header, root + place)[0] if place else -1
