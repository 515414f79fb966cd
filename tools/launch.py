"""Runs a tool in several processes, for dist_train.sh and dist_test.sh.

    python tools/launch.py PROCESSES TOOL [ARGUMENTS OF THE TOOL]

It is torchrun, which ends all processes when one of them fails, with other manners: a free port
unless PORT names one, the exit code of the process that failed (2 for a user's mistake), and one
line in place of a traceback of the launcher's own. Variables as in MMDetection's scripts: NNODES,
NODE_RANK, MASTER_ADDR, PORT. LOGLEVEL=INFO lets torchrun talk again.
"""

import logging
import os
import signal
import socket
import sys
from types import FrameType


def interrupted(number: int, _: FrameType | None) -> None:
    """Ctrl-C while PyTorch is imported: a word in place of a traceback."""
    os.write(2, b'\ninterrupted\n')
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, interrupted)

# isort: split
from torch.distributed.elastic.multiprocessing.api import SignalException  # noqa: E402
from torch.distributed.elastic.multiprocessing.errors import (  # noqa: E402
    ChildFailedError,
    ProcessFailure,
)
from torch.distributed.run import parse_args, run  # noqa: E402

MISTAKE = 2


def port(nodes: int) -> str:
    """PORT, or one that is free; several machines need to agree, so theirs is fixed."""
    if 'PORT' in os.environ or nodes > 1:
        return os.environ.get('PORT', '29500')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


def first_failure(failures: dict[int, ProcessFailure]) -> tuple[int, ProcessFailure]:
    """The one that the others may have failed of; those that torchrun ended come last."""

    def order(rank: int) -> tuple[int, float, int]:
        code = failures[rank].exitcode
        kind = 3 if code == -signal.SIGTERM else 0 if code < 0 else 1 if code == MISTAKE else 2
        return kind, failures[rank].timestamp, rank

    rank = min(failures, key=order)
    return rank, failures[rank]


def explain(error: ChildFailedError) -> int:
    """Say which process failed, unless it has said why itself; the exit code."""
    rank, failure = first_failure(error.failures)
    code = failure.exitcode
    if code in (MISTAKE, 128 + signal.SIGINT):
        return code
    if code < 0:
        reason = f'was ended by {signal.Signals(-code).name}'
        if -code == signal.SIGKILL:
            reason += ' (the system does that when memory runs out)'
    else:
        reason = f'failed with exit code {code}; its message is above'
    print(
        f'\nerror: process {rank} of this run (pid {failure.pid}) {reason}. '
        'All others have been ended too.',
        file=sys.stderr,
    )
    return max(code, 1)


def main() -> int:
    if len(sys.argv) < 3 or not sys.argv[1].isdecimal() or int(sys.argv[1]) < 1:
        print(f'error: {__doc__}', file=sys.stderr)
        return MISTAKE
    nodes = os.environ.get('NNODES', '1')
    if 'LOGLEVEL' not in os.environ:
        logging.disable()
    os.environ.setdefault('OMP_NUM_THREADS', '1')  # torchrun's own choice, without its warning
    arguments = [
        f'--nnodes={nodes}',
        f'--node-rank={os.environ.get("NODE_RANK", "0")}',
        f'--master-addr={os.environ.get("MASTER_ADDR", "127.0.0.1")}',
        f'--master-port={port(int(nodes))}',
        f'--nproc-per-node={sys.argv[1]}',
    ]
    if signal.getsignal(signal.SIGINT) is interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run(parse_args([*arguments, *sys.argv[2:]]))
    except ChildFailedError as error:
        return explain(error)
    except SignalException as error:
        print(f'\nended by {error.sigval.name}', file=sys.stderr)
        return 128 + error.sigval
    return 0


if __name__ == '__main__':
    sys.exit(main())
