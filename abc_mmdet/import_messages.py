"""Keeps MMDetection from talking while it is imported."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mmengine.logging


@contextmanager
def no_debug_prints() -> Iterator[None]:
    """Within the block, what is logged for debugging without a logger is not printed.

    ``print_log`` of MMEngine prints what comes without a logger, whatever its level. The maintained
    MMDetection says so that two of its data sets need a package that few have ("Could not import
    OneDL"), in every process that imports it.
    """
    print_log = mmengine.logging.print_log

    def print_unless_debug(msg: Any, logger: Any = None, level: int = logging.INFO) -> None:
        if logger is not None or level > logging.DEBUG:
            print_log(msg, logger, level)

    mmengine.logging.print_log = print_unless_debug
    try:
        yield
    finally:
        mmengine.logging.print_log = print_log
