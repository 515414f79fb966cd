"""Exported detectors slice by slice, and in the runtimes there are."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from abc_mmdet.deployment import ENGINES, OnnxDetector
from abc_mmdet.errors import UserError
from abc_mmdet.inference import Detector

from .test_plain_detectors import alike

onnx = pytest.importorskip('onnx', reason="pip install 'abc_mmdet[onnx]'")

SLICING = dict(slice_size=(96, 64), overlap=0.25, batch_size=3)


def blobs(number: int = 2) -> list[np.ndarray]:
    """Images of 190 x 130 pixels: six slices, of which the last is cut by the border."""
    coarse = np.random.default_rng(0).integers(0, 256, (number, 13, 19, 3), np.uint8)
    return [np.kron(image, np.ones((10, 10, 1), np.uint8)) for image in coarse]


def check_alike(found: list, expected: list) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        number = len(theirs)
        assert number > 20
        assert abs(len(ours) - number) <= 0.03 * number
        assert alike(ours, theirs) >= 0.97 * number


@pytest.mark.parametrize('merge', ['nms', 'wbf'])
def test_slices_are_those_of_pytorch(merge: str, files) -> None:
    experiment, checkpoint, path = files
    slicing = dict(SLICING, merge=merge, upscale=1.5)
    expected = Detector(experiment, checkpoint, 'cpu', slicing, batch_size=2)(blobs())
    check_alike(OnnxDetector(str(path), 'cpu', 2, slicing)(blobs()), expected)
    whole = OnnxDetector(str(path))(blobs())
    assert [len(found) for found in whole] != [len(found) for found in expected]


def test_slices_of_a_graph_of_one_size(files, tmp_path: Path) -> None:
    """Slices and the shrunk image are padded to it, and larger ones are refused.

    The size is a matter of the record; the graph itself stays as it is.
    """
    experiment, checkpoint, dynamic = files
    model = onnx.load(str(dynamic))
    for entry in model.metadata_props:
        entry.value = json.dumps([96, 64]) if entry.key == 'size' else entry.value
    path = str(tmp_path / 'fixed.onnx')
    onnx.save(model, path)
    expected = Detector(experiment, checkpoint, 'cpu', SLICING)(blobs())
    found = OnnxDetector(path, slicing=SLICING)(blobs())
    # The padding of the shrunk image is larger, and seen near it
    assert [len(each) for each in found] == pytest.approx([len(e) for e in expected], rel=0.1)
    with pytest.raises(UserError, match=r'takes inputs of \[96, 64\].* a slice became'):
        OnnxDetector(path, slicing=dict(slice_size=(128, 128)))(blobs())
    with pytest.raises(UserError, match='an image became one of'):
        OnnxDetector(path)(blobs())


def test_settings_of_slices_are_checked(files) -> None:
    path = str(files[2])
    for slicing, message in (
        (dict(SLICING, overlap=2), 'overlap=2: give'),
        (dict(SLICING, upscale=0), 'upscale=0: give'),
        (dict(SLICING, merge='best'), "merge.type='best'"),
        (dict(overlap=0.2), 'slice_size'),
    ):
        with pytest.raises(UserError, match=message):
            OnnxDetector(path, slicing=slicing)


@pytest.mark.parametrize('slicing', [None, SLICING], ids=['whole', 'sliced'])
def test_openvino_finds_the_same(slicing: dict | None, files) -> None:
    pytest.importorskip('openvino', reason="pip install 'abc_mmdet[openvino]'")
    experiment, checkpoint, path = files
    expected = Detector(experiment, checkpoint, 'cpu', slicing, batch_size=2)(blobs())
    found = OnnxDetector(str(path), 'cpu', 2, slicing, 'openvino')(blobs())
    check_alike(found, expected)
    with pytest.raises(UserError, match=r'device gpu\.7: OpenVINO has CPU'):
        OnnxDetector(str(path), 'gpu.7', engine='openvino')
    with pytest.raises(UserError, match='openvino cannot open'):
        OnnxDetector(os.fspath(checkpoint), engine='openvino')


@pytest.mark.parametrize(('engine', 'package'), [('onnx', 'onnxruntime'), ('openvino', 'openvino')])
def test_a_missing_package_is_named(engine: str, package: str, files, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"pip install 'abc_mmdet\[{engine}\]'"):
        OnnxDetector(str(files[2]), engine=engine)


def test_other_engines_are_refused(files) -> None:
    with pytest.raises(UserError, match=f"engine 'ncnn': give one of {', '.join(ENGINES)}"):
        OnnxDetector(str(files[2]), engine='ncnn')
    with pytest.raises(UserError, match='device cuda: this onnxruntime knows no CUDA'):
        OnnxDetector(str(files[2]), 'cuda')
