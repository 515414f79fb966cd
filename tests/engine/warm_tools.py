"""Tools as processes of their own that do not have to import everything first.

Run as a script it imports what the tools need, then forks for every job it reads from standard
input: the child is the tool, with the arguments and the output file of the job.
"""

from __future__ import annotations

import json
import os
import resource
import runpy
import signal
import stat
import subprocess
import sys
import traceback
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]


class WarmTools:
    """Starts tools and waits for them."""

    @cached_property
    def server(self) -> subprocess.Popen[str]:
        environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
        return subprocess.Popen(
            [sys.executable, '-W', 'ignore', __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    def start(self, *argv: object, output: Path, **faults: int) -> int:
        """The process id of ``python ARGV``, which appends what it prints to ``output``.

        Faults: ``largest_file`` in bytes stands for a disk that is full then; ``dies_at`` is the
        number of the flush to disk, from 1, at which the tool is killed, with the file half there.
        """
        return self._ask(argv=[*map(str, argv)], output=str(output), **faults)

    def wait(self, pid: int) -> int:
        """Its exit code, or minus the signal that ended it."""
        return self._ask(wait=pid)

    def run(self, *argv: object, output: Path, **faults: int) -> int:
        if faults:
            return self.wait(self.start(*argv, output=output, **faults))
        from ..warm_python import python  # not there where this file is the program

        command = [python(), '-W', 'ignore', *map(str, argv)]
        with open(output, 'ab') as log:
            return subprocess.run(command, cwd=ROOT, stdout=log, stderr=log).returncode

    def close(self) -> None:
        if 'server' in vars(self):
            self.server.kill()
            self.server.wait()

    def _ask(self, **job: object) -> int:
        print(json.dumps(job), file=self.server.stdin, flush=True)
        return int(self.server.stdout.readline())


def become(argv: list[str], output: str, largest_file: int = 0, dies_at: int = 0) -> None:
    """The child: never returns."""
    code = 1
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (handle, 1), (handle, 2)):
        os.dup2(source, target)
    try:
        if dies_at:
            die_in_flush(dies_at)
        if largest_file:
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, hard))
        sys.argv = argv
        runpy.run_path(argv[0], run_name='__main__')
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def die_in_flush(number: int) -> None:
    flush, left = os.fsync, [number]

    def flush_or_die(handle: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            status = os.fstat(handle)
            if stat.S_ISREG(status.st_mode):
                os.ftruncate(handle, status.st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        flush(handle)

    os.fsync = flush_or_die


def serve() -> None:
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # what imports print is no answer
    from yapf.yapflib import yapf_api

    import abc_mmdet
    import abc_mmdet.apis
    import abc_mmdet.engine  # noqa: F401
    from mmdet.utils import register_all_modules

    # Formatting the config for each checkpoint takes longer than the training between them
    yapf_api.FormatCode = lambda text, **_: (text, True)
    register_all_modules(init_default_scope=False)
    for line in sys.stdin:
        job = json.loads(line)
        if 'wait' in job:
            answer = os.waitstatus_to_exitcode(os.waitpid(job['wait'], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                become(**job)
        print(answer, file=answers, flush=True)


if __name__ == '__main__':
    serve()
