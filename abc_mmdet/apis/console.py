"""The console of training and test: what is left to the log file, and what is not."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from types import FrameType
from typing import Any, TextIO, cast

from mmengine.logging import MMLogger
from mmengine.runner import Runner

from .progress import ConsoleHook

VARIABLE = 'ABC_VERBOSE'

FRAMEWORKS = ('mmengine', 'mmdet', 'mmcv')
"""Packages whose information is for the log file: environment, config, order of hooks, ..."""

SAID = {
    'mmengine.runner.runner': ('resume', 'load_or_resume', 'scale_lr'),
    'mmengine.hooks.checkpoint_hook': (
        'after_train_iter',
        'after_train_epoch',
        '_save_best_checkpoint',
    ),
    'mmengine.hooks.early_stopping_hook': ('after_val_epoch',),
}
"""Functions of theirs that say what a person wants to know, by module."""

CHATTER = (
    'loading annotations into memory...',
    'Done (t=',
    'creating index...',
    'index created!',
    'Loading and preparing results...',
    'DONE (t=',
    'Running per image evaluation...',
    'Evaluate annotation type *',
    'Accumulating evaluation results...',
    'Loads checkpoint by ',
)
"""How lines begin that pycocotools and MMEngine print without a logger."""


def add_verbose_option(parser: argparse.ArgumentParser) -> None:
    """Give a tool ``--verbose``, for which :data:`VARIABLE` in the environment stands as well."""
    parser.add_argument(
        '--verbose',
        action='store_true',
        default=os.environ.get(VARIABLE, '') not in ('', '0'),
        help='print all that the log file has: environment, config, hooks, every loss '
        f'(the same: {VARIABLE}=1)',
    )


@contextmanager
def short_console(verbose: bool = False) -> Iterator[None]:
    """A block whose prints are without those of the libraries that read data and checkpoints.

    Args:
        verbose: leave everything as it is.
    """
    if verbose:
        yield
        return
    stream = WithoutChatter(sys.stdout)
    try:
        with warnings.catch_warnings(), redirect_stdout(cast(TextIO, stream)):
            # Of calls in MMDetection, about what they will have to write one day
            warnings.filterwarnings('ignore', message='torch.meshgrid', category=UserWarning)
            yield
    finally:
        stream.close_line()


class ShortRunner(Runner):
    """MMEngine's runner, whose console has what a person reads and whose log file has everything.

    Examples:
        >>> runner = ShortRunner.from_cfg(config)  # doctest: +SKIP
        >>> with short_console():  # doctest: +SKIP
        ...     runner.train()
    """

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        shorten(logger)
        return logger

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        super().register_hooks(*args, **kwargs)
        self.register_hook(ConsoleHook())


def shorten(logger: MMLogger) -> None:
    """Leave to the log file what is not for the console, whose handler gets filter and format."""
    for handler in logger.handlers:
        # A file's handler is a stream's, too
        if type(handler) is logging.StreamHandler:
            handler.addFilter(ForPeople())
            handler.setFormatter(Plain())


class ForPeople(logging.Filter):
    """Lets through warnings, what this package and a user's own modules say, and :data:`SAID`.

    Examples:
        >>> record = logging.LogRecord('user', logging.INFO, '', 0, 'of a user', None, None)
        >>> ForPeople().filter(record)
        True
    """

    def filter(self, record: logging.LogRecord) -> bool:
        module, function = _speaker()
        if module.partition('.')[0] not in FRAMEWORKS:
            return True
        if record.levelno >= logging.WARNING:
            # That MMEngine uses an old interface of its own is nothing a user can change
            return 'will be deprecated' not in record.getMessage()
        return function in SAID.get(module, ())


_WAY = (__name__, 'logging', 'mmengine.logging', 'abc_mmdet.utils.imports')
"""Modules between the call that is logged and the filter."""


def _speaker() -> tuple[str, str]:
    """Module and function of the call that is being logged, through ``print_log`` as well."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get('__name__'))
        if not module.startswith(_WAY):
            return module, frame.f_code.co_name
        frame = frame.f_back
    return '', ''


class Plain(logging.Formatter):
    """The text alone; what is more than information says so.

    Examples:
        >>> record = logging.LogRecord('', logging.WARNING, '', 0, 'no box', None, None)
        >>> Plain().format(record)
        'warning: no box'
    """

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        is_more = record.levelno > logging.INFO
        return f'{record.levelname.lower()}: {text}' if is_more else text


class WithoutChatter(io.TextIOBase):
    """Passes on to a stream what is written, without the lines that begin like :data:`CHATTER`.

    Only the beginning of such a line is held back; everything else is passed on at once.

    Examples:
        >>> console = io.StringIO()
        >>> for line in ('creating index...', 'mAP 0.208'):
        ...     print(line, file=WithoutChatter(console))
        >>> console.getvalue().split()
        ['mAP', '0.208']
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._line = ''  # held back: it is, or may become, a line to leave out

    def write(self, text: str) -> int:
        for part in text.splitlines(keepends=True):
            self._line += part
            is_whole = self._line.endswith('\n')
            if self._line.startswith(CHATTER):
                self._line = '' if is_whole else self._line
            elif is_whole or not any(start.startswith(self._line) for start in CHATTER):
                self._pass_on()
        return len(text)

    def _pass_on(self) -> None:
        self._stream.write(self._line)
        self._line = ''

    def close_line(self) -> None:
        """The block is over: what has been held back will not become a line to leave out."""
        if not self._line.startswith(CHATTER):
            self._pass_on()
        self.flush()

    def flush(self) -> None:
        self._stream.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding
