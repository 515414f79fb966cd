"""What is said while the package is imported: nothing of MMDetection, one word at Ctrl-C."""

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any


@contextmanager
def no_debug_prints() -> Iterator[None]:
    """Within the block, what is logged for debugging without a logger is not printed.

    ``print_log`` of MMEngine prints what comes without a logger, whatever its level. The maintained
    MMDetection says so that two of its data sets need a package that few have ("Could not import
    OneDL"), in every process that imports it.
    """
    import mmengine.logging  # which is not there where the doctor has to say so

    print_log = mmengine.logging.print_log

    def print_unless_debug(msg: Any, logger: Any = None, level: int = logging.INFO) -> None:
        if logger is not None or level > logging.DEBUG:
            print_log(msg, logger, level)

    mmengine.logging.print_log = print_unless_debug
    try:
        yield
    finally:
        mmengine.logging.print_log = print_log


_ROOT = Path(__file__).resolve().parents[2]
_TOOLS = ('tools', 'benchmarks', 'abc_mmdet')


@contextmanager
def interruption_in_a_word() -> Iterator[None]:
    """Within the block a KeyboardInterrupt that nobody catches is said in one line.

    The process ends as it would otherwise, by the signal (130 in a shell). One of our own tools has
    more to import than this package: there it holds until :func:`imports_are_done`, and even where
    a library in between would catch the exception, or turn it into another one.
    """
    if _is_own_tool() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    try:
        yield
    except KeyboardInterrupt:
        usual = sys.excepthook

        def hook(
            kind: type[BaseException], error: BaseException, trace: TracebackType | None
        ) -> None:
            sys.excepthook = usual
            if issubclass(kind, KeyboardInterrupt):
                print('\ninterrupted', file=sys.stderr)
            else:
                usual(kind, error, trace)

        sys.excepthook = hook
        raise


def imports_are_done() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt again, and what is open gets closed."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, _: FrameType | None) -> None:
    """End by the signal; while a tool is still importing there is nothing to be cleaned up."""
    os.write(2, b'\ninterrupted\n')
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _is_own_tool() -> bool:
    """Whether the program is one of ours, and this the process that it was started as."""
    if multiprocessing.parent_process() is not None:
        return False
    if sys.argv[:1] == ['-m']:  # of ``python -m``, while the package of the module is imported
        return any(word.removeprefix('-m').startswith('abc_mmdet') for word in sys.orig_argv)
    program = Path(getattr(sys.modules.get('__main__'), '__file__', None) or '.').resolve()
    if program.stem == 'abc-mmdet':
        return True
    return any(program.is_relative_to(_ROOT / name) for name in _TOOLS)
