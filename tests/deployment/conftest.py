"""One exported detector for all tests that run or change its file."""

from pathlib import Path
from typing import NamedTuple

import pytest
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
    folder = tmp_path_factory.mktemp('exported')
    experiment = config('RetinaHead', to_float32=False)
    write_weights(experiment, folder / 'weights.pth')
    exported = export_onnx(experiment, str(folder / 'weights.pth'))
    assert exported.is_good
    write_onnx(exported, str(folder / 'detector.onnx'))
    return Files(experiment, folder / 'weights.pth', folder / 'detector.onnx')
