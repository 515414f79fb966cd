"""What runs an exported graph: ONNX Runtime or OpenVINO, behind one function."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch

from abc_mmdet.errors import UserError

Feed = Mapping[str, np.ndarray]
Run = Callable[[Feed], list[np.ndarray]]
"""From inputs by their names to outputs in the order of the graph."""


class Engine(NamedTuple):
    """A graph that can be run.

    Attributes:
        run: it.
        properties: the ``metadata_props`` of its file.
    """

    run: Run
    properties: dict[str, str]


_EXTRAS = {
    'onnx': ('ONNX', 'onnx, onnxruntime and onnxscript'),
    'openvino': ('OpenVINO', 'openvino and onnx'),
}
"""What each extra is for, and what it brings."""


def need(*names: str, extra: str = 'onnx') -> list[ModuleType]:
    """Import optional packages.

    Args:
        names: of the packages.
        extra: of ``abc_mmdet`` that brings them.

    Raises:
        UserError: one is not installed.
    """
    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        name, brings = _EXTRAS[extra]
        raise UserError(
            f'{name} needs packages that are not installed here ({error}): '
            f"pip install 'abc_mmdet[{extra}]', that is {brings}."
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
    _check_file(model)
    try:
        return runtime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # its exceptions have no class of their own in common
        raise _unreadable('onnxruntime', model, error) from error


def open_onnxruntime(model: str, device: str) -> Engine:
    """An ONNX model in ONNX Runtime, on ``cpu`` or ``cuda``, with as many threads as PyTorch.

    Raises:
        UserError: as :func:`open_session`.
    """
    if not device.startswith(('cpu', 'cuda')):
        raise UserError(f'device {device}: an ONNX model runs on cpu or cuda.')
    session = open_session(model, device)
    properties = session.get_modelmeta().custom_metadata_map
    return Engine(lambda feed: session.run(None, dict(feed)), properties)


def open_openvino(model: str, device: str) -> Engine:
    """An ONNX model in OpenVINO, on ``cpu`` or ``gpu`` (Intel's), with as many threads as PyTorch.

    It computes in float32 as the others do, where OpenVINO would choose bfloat16 by itself.

    Raises:
        UserError: openvino is missing, cannot read it, or has no such device.
    """
    openvino, onnx = need('openvino', 'onnx', extra='openvino')
    _check_file(model)
    core = openvino.Core()
    name = device.upper()
    if name.split('.')[0] not in ('CPU', 'GPU') or not _has(core.available_devices, name):
        raise UserError(
            f'device {device}: OpenVINO has {", ".join(core.available_devices)} here; give one of '
            'these (a GPU has to be one of Intel, with its driver).'
        )
    settings: dict[str, Any] = dict(PERFORMANCE_HINT='LATENCY', INFERENCE_PRECISION_HINT='f32')
    if name == 'CPU':
        settings['INFERENCE_NUM_THREADS'] = torch.get_num_threads()
    try:
        properties = onnx.load(model, load_external_data=False).metadata_props
        compiled = core.compile_model(core.read_model(model), name, settings)
    except Exception as error:
        raise _unreadable('openvino', model, error) from error

    def run(feed: Feed) -> list[np.ndarray]:
        results = compiled(dict(feed))
        return [np.array(results[output]) for output in compiled.outputs]

    return Engine(run, {entry.key: entry.value for entry in properties})


ENGINES: dict[str, Callable[[str, str], Engine]] = {
    'onnx': open_onnxruntime,
    'openvino': open_openvino,
}


def _has(available: list[str], name: str) -> bool:
    return any(each == name or each.startswith(f'{name}.') for each in available)


def _check_file(model: str | bytes) -> None:
    if isinstance(model, str) and not Path(model).is_file():
        raise UserError(f'there is no file {model}; tools/deployment/export_onnx.py writes them.')


def _unreadable(reader: str, model: str | bytes, error: Exception) -> UserError:
    name = model if isinstance(model, str) else 'the exported model'
    lines = [line for line in str(error).splitlines() if line.strip()]
    return UserError(f'{reader} cannot open {name}: {lines[0] if lines else type(error).__name__}')
