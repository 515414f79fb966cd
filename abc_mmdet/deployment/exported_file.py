"""A file of the exporter, opened: what runs it, and what it says about itself."""

from __future__ import annotations

from typing import NamedTuple

from abc_mmdet.errors import UserError

from .engines import ENGINES, Run
from .recorded import Recorded


class ExportedFile(NamedTuple):
    """A graph that can be run, and how.

    Attributes:
        path: of the file.
        run: from inputs by their names to outputs in order.
        recorded: what the file says about itself.
    """

    path: str
    run: Run
    recorded: Recorded


def open_exported(path: str, device: str = 'cpu', engine: str = 'onnx') -> ExportedFile:
    """Open a file of ``tools/deployment/export_onnx.py``.

    Args:
        path: the file.
        device: ``'cpu'`` or ``'cuda'``; with OpenVINO ``'cpu'`` or ``'gpu'``.
        engine: ``'onnx'`` (ONNX Runtime) or ``'openvino'``.

    Raises:
        UserError: a package is missing, the file cannot be read or was not written by that tool,
            there is no such device.
    """
    if engine not in ENGINES:
        raise UserError(f'engine {engine!r}: give one of {", ".join(ENGINES)}.')
    opened = ENGINES[engine](path, device)
    return ExportedFile(path, opened.run, Recorded.from_properties(opened.properties, path))
