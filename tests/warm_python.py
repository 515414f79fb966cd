"""A Python that has imported PyTorch and MMDetection before it is asked.

``python()`` is a program to be used in place of ``sys.executable`` where a test runs a tool as a
process. Every call is a process of its own, with its arguments, folder, environment, streams,
signals and exit code, but forked from one that has done the imports, which take ten times as long
as most tools need for their work. What depends on the imports themselves (how they fail, what
they print, other versions on ``PYTHONPATH``, a process group) needs ``sys.executable``.

With ``COLD_TOOLS=1`` in the environment, ``python()`` is ``sys.executable`` and nothing is cut
short; ``make test-all`` runs the tests so.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import json
import multiprocessing
import os
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import warnings
from pathlib import Path
from typing import NoReturn

import numpy

ROOT = Path(__file__).parents[1]
PRELOADED = (
    'matplotlib.pyplot',
    'mmdet.apis',
    'onnx',
    'pycocotools.coco',
    'scipy.optimize',
    'torch.onnx',
    'torch.utils.tensorboard',
    'abc_mmdet.apis',
    'abc_mmdet.datasets.events',
    'abc_mmdet.datasets.synthetic',
    'abc_mmdet.deployment',
    'abc_mmdet.engine',
    'abc_mmdet.custom_dataset',
    'abc_mmdet.report',
    'abc_mmdet.study',
    'abc_mmdet.visualization',
)

# What stands for the process: hands over what it was started with, passes signals on, and ends as
# the forked process ends.
CLIENT = r"""#!{python} -IS
import json, os, signal, socket, sys

server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
job = json.dumps(dict(argv=sys.argv[1:], cwd=os.getcwd(), env=dict(os.environ))).encode()
socket.send_fds(server, [len(job).to_bytes(4, 'little')], [0, 1, 2])
server.sendall(job)
answers = server.makefile()
pid = int(answers.readline())


def pass_on(number, frame):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, pass_on)
code = int(answers.readline())
if code < 0:
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@functools.cache
def python() -> str:
    """Path of the program; the first call of all processes of a run starts what it forks from."""
    if os.environ.get('COLD_TOOLS') or not hasattr(os, 'pidfd_open'):
        return sys.executable
    run = os.environ.get('PYTEST_XDIST_TESTRUNUID')
    if run is None:
        folder = Path(tempfile.mkdtemp(prefix='warm_python_'))
    else:
        folder = Path(tempfile.gettempdir(), f'warm_python_{run}')
        folder.mkdir(mode=0o700, exist_ok=True)
    client = folder / 'python'
    with open(folder / 'lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not client.exists():
            address = str(folder / 'socket')
            start_server(address, os.getpid() if run is None else os.getppid())
            client.write_text(CLIENT.format(python=sys.executable, address=address))
            client.chmod(0o755)
    return str(client)


def start_server(address: str, owner: int) -> None:
    """What is forked from, which ends with the process ``owner``."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        subprocess.Popen(
            [sys.executable, __file__, str(listener.fileno()), str(owner)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
            pass_fds=[listener.fileno()],
            env={
                **os.environ,
                'OMP_NUM_THREADS': '1',
                'PYTHONWARNINGS': '',
                # or looking for a GPU would make it unusable in forked processes
                'PYTORCH_NVML_BASED_CUDA_CHECK': '1',
            },
        )


def cut_short() -> None:
    """In this process: what takes long, and what tests cannot see but for the time it takes."""
    from mmengine.runner import loops
    from yapf.yapflib import yapf_api

    # Formatting the config for each run and checkpoint takes longer than the training between them
    yapf_api.FormatCode = lambda text, **_: (text, True)
    # Waiting for the disk is for machines that lose power
    os.fsync = lambda file: None
    # Two seconds before each epoch, of which a data set of six images has many
    loops.time = types.SimpleNamespace(sleep=lambda _: time.sleep(0.02))


def preload() -> None:
    import gc
    import importlib

    import abc_mmdet  # noqa: F401
    from mmdet.utils import register_all_modules

    cut_short()
    register_all_modules(init_default_scope=False)
    # Workers of tools, which have no threads here, are forked from them: no imports once more
    multiprocessing.context._concrete_contexts['forkserver'] = multiprocessing.get_context('fork')
    for name in PRELOADED:
        with contextlib.suppress(ImportError):  # an extra that is not installed
            importlib.import_module(name)
    gc.freeze()
    threads = os.listdir('/proc/self/task')
    assert len(threads) == 1, 'a module of PRELOADED starts threads, which forked processes lack'


class Server:
    """Forks a process per connection and tells it how that ended."""

    def __init__(self, listener: socket.socket, owner: int) -> None:
        self.selector = selectors.DefaultSelector()
        self.listener = listener
        self.owner = os.pidfd_open(owner)
        self.running: dict[int, tuple[socket.socket, int]] = {}  # pid: connection, descriptor
        self.selector.register(self.owner, selectors.EVENT_READ)
        self.selector.register(listener, selectors.EVENT_READ)

    def serve(self) -> dict | None:
        """In a forked process: the job it has to do. In this one: none, when the tests end."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj == self.owner:
                    return self._kill_all()
                if key.fileobj is self.listener:
                    job = self._accept()
                    if job is not None:
                        return job
                elif key.data in self.running:
                    self._end(key.data, killed=isinstance(key.fileobj, socket.socket))

    def _accept(self) -> dict | None:
        connection, _ = self.listener.accept()
        header, streams, _, _ = socket.recv_fds(connection, 4, 3)
        text = connection.recv(int.from_bytes(header, 'little'), socket.MSG_WAITALL)
        job = json.loads(text or 'null')
        if job is None:  # killed before it has said what for
            connection.close()
            for stream in streams:
                os.close(stream)
            return None
        pid = os.fork()
        if pid == 0:
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            self.selector.close()
            os.close(self.owner)
            for other, handle in self.running.values():
                other.close()
                os.close(handle)
        for stream in streams:
            os.close(stream)
        if pid == 0:
            connection.close()
            self.listener.close()
            return job
        handle = os.pidfd_open(pid)
        self.running[pid] = connection, handle
        self.selector.register(connection, selectors.EVENT_READ, pid)
        self.selector.register(handle, selectors.EVENT_READ, pid)
        with contextlib.suppress(OSError):
            connection.sendall(f'{pid}\n'.encode())
        return None

    def _end(self, pid: int, killed: bool) -> None:
        """The process has ended, or who asked for it has been killed."""
        if killed:
            os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        connection, handle = self.running.pop(pid)
        self.selector.unregister(connection)
        self.selector.unregister(handle)
        os.close(handle)
        with connection, contextlib.suppress(OSError):  # gone in the meantime
            connection.sendall(f'{code}\n'.encode())

    def _kill_all(self) -> None:
        for pid in self.running:
            os.kill(pid, signal.SIGKILL)


def become(argv: list[str], cwd: str, env: dict[str, str]) -> None:
    """Do what ``python ARGV`` does, with what the interpreter takes from its environment."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    numpy.random.seed()  # or all would draw the same numbers; ``random`` sees to itself
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())
    rules = [rule for rule in env.get('PYTHONWARNINGS', '').split(',') if rule]
    while argv and argv[0] in ('-W', '-u'):
        if argv.pop(0) == '-u':
            sys.stdout.reconfigure(write_through=True)
        else:
            rules.append(argv.pop(0))
    warnings._processoptions(rules)
    first = str(Path(argv[0]).resolve().parent) if argv[0][0] != '-' else ''
    paths = [path for path in env.get('PYTHONPATH', '').split(os.pathsep) if path]
    sys.path[0:1] = [first, *paths]
    if argv[0] == '-m':
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name='__main__', alter_sys=True)
        return
    main = types.ModuleType('__main__')
    if argv[0] == '-c':
        sys.argv, program = ['-c', *argv[2:]], compile(argv[1], '<string>', 'exec')
    else:
        sys.argv, main.__file__ = argv, argv[0]
        program = compile(Path(argv[0]).read_bytes(), argv[0], 'exec')
    sys.modules['__main__'] = main
    exec(program, vars(main))


def end(job: dict) -> NoReturn:
    """Do a job, and end without taking the interpreter apart: that takes longer than most jobs."""
    code = 0
    try:
        become(**job)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            code = -signal.SIGINT
    threading._shutdown()
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):  # nobody listens any more
        sys.stdout.flush()
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code & 255)


if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end of the tests will be noticed
    preload()
    listener = socket.socket(fileno=int(sys.argv[1]))
    folder = Path(listener.getsockname()).parent
    server = None
    with contextlib.suppress(ProcessLookupError):  # the tests have ended meanwhile
        server = Server(listener, int(sys.argv[2]))
    job = server.serve() if server else None
    if job is not None:
        end(job)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # nothing to take apart
