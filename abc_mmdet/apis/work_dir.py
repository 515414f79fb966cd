"""The folder of a run: that it can be written to, and that nobody else trains there."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from abc_mmdet.errors import UserError
from abc_mmdet.utils.processes import is_first_process

LOCK = 'lock'


def make_work_dir(folder: str | Path) -> Path:
    """Make the folder of a run, and see that files can be written there.

    Raises:
        UserError: they cannot, say, because the disk is full or the folder is read-only.
    """
    path = Path(folder)
    probe = path / f'.{os.getpid()}.probe'
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b'something')
        probe.unlink()
    except OSError as error:
        with suppress(OSError):
            probe.unlink()
        raise UserError(
            f'work_dir: {path} cannot be written to ({error.strerror or error}). Make room there, '
            'or give another folder: --work-dir DIR.'
        ) from error
    return path


def claim_work_dir(folder: str | Path) -> None:
    """Take the folder of a training for this process until it ends, however it does.

    Of a distributed run the first process takes it. Two trainings in one folder would remove each
    other's checkpoints. File systems without locks are left as they are.

    Raises:
        UserError: another process trains there, with its number, machine and time; or the folder
            cannot be written to.
    """
    if not is_first_process():
        return
    path = make_work_dir(folder)
    handle = os.open(path / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 1000).decode(errors='replace').strip() or 'another process'
        os.close(handle)
        raise UserError(
            f'work_dir: {path} is in use: {holder} trains there. Wait for its end, or give another '
            'folder: --work-dir DIR.'
        ) from None
    except OSError:  # a file system without locks
        return
    held = [handle]

    def let_go() -> None:  # a loader process that outlives a killed training would hold its lock
        while held:
            os.close(held.pop())

    os.register_at_fork(after_in_child=let_go)
    now = datetime.now().astimezone().isoformat(' ', 'seconds')
    os.ftruncate(handle, 0)
    os.pwrite(
        handle, f'process {os.getpid()} on {socket.gethostname()}, since {now},\n'.encode(), 0
    )
