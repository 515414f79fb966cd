"""Manners of a process that fails beside others: it neither repeats nor talks over them."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import timedelta

from torch import distributed

PATIENCE = 10.0  # seconds in which a launcher ends the other processes after one has failed

# Of gloo, NCCL and PyTorch's store when the process at the other end is gone
LOST = (
    'Connection closed by peer',
    'Connection reset by peer',
    'Broken pipe',
    'remote process exited',
    'Connection was likely closed',
    'communicator was aborted',
)


def is_first_to_say(text: str) -> bool:
    """Whether no other process of this run has said this; True if that cannot be known.

    Processes of one mistake all meet it. torchrun keeps a store for its processes, on all machines,
    from before they have joined; the first to enter the text there is the one to print it. Whoever
    is not the first waits here for the launcher to end it: it must not exit, and so end the first
    one, before that one has printed.
    """
    if os.environ.get('TORCHELASTIC_USE_AGENT_STORE') != 'True':
        return True
    key = f'said/{hashlib.sha256(text.encode()).hexdigest()}'
    try:
        store = distributed.TCPStore(  # type: ignore[attr-defined]
            os.environ['MASTER_ADDR'],
            int(os.environ['MASTER_PORT']),
            is_master=False,
            timeout=timedelta(seconds=PATIENCE),
        )
        if store.add(key, 1) == 1:
            return True
    except (RuntimeError, KeyError):  # the launcher has gone
        return True
    time.sleep(PATIENCE)
    return False


def has_lost_another(error: BaseException) -> bool:
    """Whether an error only tells that another process of the run has ended."""
    return distributed.is_available() and any(words in str(error) for words in LOST)


def wait_to_be_ended() -> None:
    """Let the process that failed speak, and the launcher end this one."""
    time.sleep(PATIENCE)
