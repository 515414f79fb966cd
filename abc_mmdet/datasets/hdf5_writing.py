"""Writing HDF5 on a disk that may be full."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
"""Errors after which nothing more can be written."""

_REASON = re.compile(r"errno = (\d+), error message = '(.+?)'")


@contextmanager
def failed_writes() -> Iterator[None]:
    """While a file is written: what h5py makes of a failure becomes the ``OSError`` that it is.

    On a full disk h5py also fails to close the file, and makes a RuntimeError of that. The process
    does not survive it for long: HDF5 crashes when it ends. So write in a process of its own.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = _REASON.search(str(error))
        if reason is None:
            raise
        raise OSError(int(reason[1]), reason[2]) from error
