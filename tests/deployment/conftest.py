"""One exported detector for all tests that run or change its file."""

import os
from pathlib import Path
from typing import NamedTuple

import pytest
from filelock import FileLock
from mmengine.config import Config

from abc_mmdet.deployment import export_onnx, write_onnx

from .test_plain_detectors import config, write_weights


class Files(NamedTuple):
    """Experiment, checkpoint and ONNX file of a detector."""

    experiment: Config
    checkpoint: Path
    onnx: Path


@pytest.fixture(scope='session')
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """RetinaNet, whose head cuts boxes at the border of the image."""
    for package in ('onnxscript', 'onnxruntime'):
        pytest.importorskip(package, reason="pip install 'abc_mmdet[onnx]'")
    folder = tmp_path_factory.getbasetemp()
    if 'PYTEST_XDIST_WORKER' in os.environ:
        folder = folder.parent  # of all processes of this run: it takes long
    found = Files(config('RetinaHead', to_float32=False), folder / 'weights.pth', folder / 'a.onnx')
    with FileLock(folder / 'a.lock'):
        if not found.onnx.exists():
            write_weights(found.experiment, found.checkpoint)
            exported = export_onnx(found.experiment, str(found.checkpoint))
            assert exported.is_good
            write_onnx(exported, str(found.onnx))
    return found
