"""The first of the processes of a run, before they are connected: it speaks for all."""

from __future__ import annotations

import os
import sys

_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
"""What launchers call the number of a process."""


def is_first_process() -> bool:
    """Whether this process is the first of its run, by what its launcher set; True without one."""
    return int(next((os.environ[name] for name in _RANKS if os.environ.get(name)), 0)) == 0


def say(line: str) -> None:
    """Print a line to standard error, from the first process alone."""
    if is_first_process():
        print(line, file=sys.stderr, flush=True)
