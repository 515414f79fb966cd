"""Ctrl-C while the package is imported, which takes seconds: a word in place of a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType


@contextmanager
def interruption_in_a_word() -> Iterator[None]:
    """Within the block a KeyboardInterrupt that nobody catches is said in one line.

    The process ends as it would otherwise, by the signal.
    """
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
