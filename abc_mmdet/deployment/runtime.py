"""The packages that ONNX needs, which not everybody has."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from abc_mmdet.errors import UserError


def need(*names: str) -> list[ModuleType]:
    """Import optional packages.

    Raises:
        UserError: one is not installed.
    """
    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise UserError(
            f'ONNX needs packages that are not installed here ({error}): '
            "pip install 'abc_mmdet[onnx]', that is onnx, onnxruntime and onnxscript."
        ) from error


def open_session(model: str | bytes, device: str = 'cpu') -> Any:
    """An ONNX Runtime session of a file or its content.

    Raises:
        UserError: onnxruntime is missing, cannot read it, or has no such device.
    """
    (runtime,) = need('onnxruntime')
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # its warnings are about what exporters leave behind
    options.intra_op_num_threads = torch.get_num_threads()
    providers = ['CPUExecutionProvider']
    if device.startswith('cuda'):
        if 'CUDAExecutionProvider' not in runtime.get_available_providers():
            raise UserError(
                f'device {device}: this onnxruntime knows no CUDA; pip install onnxruntime-gpu.'
            )
        providers.insert(0, 'CUDAExecutionProvider')
    name = model if isinstance(model, str) else 'the exported model'
    if isinstance(model, str) and not Path(model).is_file():
        raise UserError(f'there is no file {model}; tools/deployment/export_onnx.py writes them.')
    try:
        return runtime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # its exceptions have no class of their own in common
        text = str(error).splitlines()[0]
        raise UserError(f'onnxruntime cannot open {name}: {text}') from error
