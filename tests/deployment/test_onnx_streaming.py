"""Exported detectors on recordings, window by window as in PyTorch."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from mmengine.config import Config

from abc_mmdet import StreamingInferencer
from abc_mmdet.apis import load_experiment
from abc_mmdet.deployment import (
    ExportedFile,
    OnnxDetector,
    OnnxStreamingInferencer,
    export_onnx,
    open_exported,
    write_onnx,
)
from abc_mmdet.deployment.engines import Feed
from abc_mmdet.deployment.export import record
from abc_mmdet.deployment.exportable_detector import ExportableDetector
from abc_mmdet.errors import UserError
from abc_mmdet.inference.detections import WindowDetections

from ..inference.event_streams import SIZE, moving_block, tiny_config, wake_adapter, write_h5
from ..tools.in_process import run_in_process

with_onnx = pytest.mark.skipif(
    not (find_spec('onnxscript') and find_spec('onnxruntime')),
    reason="pip install 'abc_mmdet[onnx]'",
)
ADAPTER = Path(__file__).parents[2] / 'configs/small/nano_adapter_synthetic_events.py'


class Streams(NamedTuple):
    """The same detector in PyTorch and as a file, and its config and checkpoint."""

    pytorch: StreamingInferencer
    file: ExportedFile
    config: Config
    checkpoint: str


def pytorch(config: Config, folder: Path, random_weights: Callable) -> StreamingInferencer:
    random_weights(config, folder / 'weights.pth')
    if 'adapter' in config.model:
        wake_adapter(folder / 'weights.pth')
    return StreamingInferencer(config, folder / 'weights.pth', device='cpu')


@pytest.fixture(scope='module')
def streams(random_weights: Callable, tmp_path_factory: pytest.TempPathFactory) -> Streams:
    """MaxViTRNN with a memory that forgets by time.

    In place of the file there is what is exported, run by PyTorch: writing it takes a minute.
    """
    folder = tmp_path_factory.mktemp('run')
    config = tiny_config()
    config.model.step_ms = 50
    inferencer = pytorch(config, folder, random_weights)
    model = ExportableDetector(inferencer.model)
    recorded = record(model, inferencer.classes, inferencer.histogram, (64, 32))  # 48x32, padded

    def run(feed: Feed) -> list[np.ndarray]:
        assert list(feed) == recorded.inputs
        with torch.no_grad():
            return [o.numpy() for o in model(*map(torch.from_numpy, feed.values()))]

    file = ExportedFile('detector.onnx', run, recorded)
    return Streams(inferencer, file, config, str(folder / 'weights.pth'))


def exported(config: Config, folder: Path, random_weights: Callable) -> Streams:
    inferencer = pytorch(config, folder, random_weights)
    checkpoint, path = str(folder / 'weights.pth'), str(folder / 'detector.onnx')
    written = export_onnx(config, checkpoint, size=inferencer.histogram.shape(SIZE)[:0:-1])
    assert written.is_good, written.agreement
    write_onnx(written, path)
    return Streams(inferencer, open_exported(path), config, checkpoint)


def alike(found: list[WindowDetections], expected: list[WindowDetections]) -> float:
    """The part of all detections that the same windows of the other have, to the last digits.

    Where scores are equal but for these, it is chance which box suppresses the other.
    """
    assert [f.time_us for f in found] == [e.time_us for e in expected]
    assert min(map(len, expected)) > 20
    near = []
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.source, other.source)
        rows = [np.column_stack([d.boxes, 1000 * d.scores, 1000 * d.labels]) for d in (one, other)]
        apart = np.abs(rows[0][:, None] - rows[1]).max(axis=2)
        near += [apart.min(axis=0) < 0.005, apart.min(axis=1) < 0.005]
    return float(np.concatenate(near).mean())


def test_windows_of_a_recording_with_a_jump(streams: Streams) -> None:
    inferencer = OnnxStreamingInferencer(streams.file)
    parts = [moving_block(0.32), moving_block(0.27, begin_us=900_000_000, seed=5)]
    both = {name: np.concatenate([part[name] for part in parts]) for name in 'xypt'}
    found, expected = (list(i([both], size=SIZE)) for i in (inferencer, streams.pytorch))
    assert alike(found, expected) > 0.97
    assert [f.segment for f in found] == [0] * 6 + [1] * 3
    assert found[0].classes == expected[0].classes
    # several streams in turns, each with its own memory
    first, second = (iter(inferencer([part], size=SIZE)) for part in parts)
    turns = list(zip(first, second, strict=False))
    assert alike([f for f, _ in turns], expected[:3]) > 0.97
    assert alike([f for _, f in turns], expected[6:]) > 0.97


def test_the_memory_and_the_time_of_a_step_count(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both would be missed: without either, the detections are others."""
    inferencer = OnnxStreamingInferencer(streams.file)
    zeros = inferencer.model._states
    assert inferencer.recorded.inputs[:2] == ['images', 'elapsed']
    events = moving_block(0.22)
    found, expected = (
        list(i([events], size=SIZE, step_ms=25)) for i in (inferencer, streams.pytorch)
    )
    assert alike(found, expected) > 0.97
    inferencer.model.recorded = replace(inferencer.recorded, step_ms=100.0)
    assert alike(list(inferencer([events], size=SIZE, step_ms=25)), expected) < 0.8
    inferencer.model.recorded = replace(inferencer.recorded)
    monkeypatch.setattr(inferencer.model, '_states', lambda state: zeros(None))
    assert alike(list(inferencer([events], size=SIZE, step_ms=25)), expected) < 0.8


@with_onnx
@pytest.mark.slow
def test_the_tool(
    random_weights: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    config = tiny_config()
    config.model.step_ms = 50
    streams = exported(config, tmp_path, random_weights)
    recording = write_h5(tmp_path / 'block.h5', moving_block(0.22))
    out = tmp_path / 'out'

    def call(*options: object) -> tuple[int, str, str]:
        command = (
            '--onnx',
            streams.file.path,
            recording,
            '--out',
            out,
            '--score-thr',
            0.2,
            *options,
        )
        return run_in_process('tools/infer.py', command, monkeypatch, capsys)

    code, printed, error = call()
    assert code == 0, error
    assert 'block.h5: 3 windows of 50 ms' in printed
    content = json.loads((out / 'detections.json').read_text())
    found = list(OnnxStreamingInferencer(streams.file)(recording))
    assert alike(found, list(streams.pytorch(recording))) > 0.97
    expected = [detections.above(0.2) for detections in found]
    assert [image['timestamp_us'] for image in content['images']] == [f.time_us for f in expected]
    assert len(content['annotations']) == sum(map(len, expected)) > 5
    assert [c['name'] for c in content['categories']] == list(expected[0].classes)
    code, _, error = call('--batch', 2)
    assert code == 2 and '--batch and --slice are for images' in error
    write_h5(recording, moving_block(0.22), (640, 480))
    code, _, error = call()
    assert code == 1 and 'block.h5: ' in error and 'export it again with --size 3' in error


@with_onnx
@pytest.mark.slow
def test_an_adapter_on_images_of_events(random_weights: Callable, tmp_path: Path) -> None:
    config = load_experiment(str(ADAPTER), {'model.test_cfg.score_thr': 0.05})
    streams = exported(config, tmp_path, random_weights)
    inferencer = OnnxStreamingInferencer(streams.file)
    assert inferencer.recorded.inputs[0] == 'images' and 'elapsed' not in inferencer.recorded.inputs
    events = moving_block(0.22)
    found, expected = (list(i([events], size=SIZE)) for i in (inferencer, streams.pytorch))
    assert alike(found, expected) > 0.97


@with_onnx
def test_what_does_not_fit(streams: Streams, random_weights: Callable, tmp_path: Path) -> None:
    inferencer = OnnxStreamingInferencer(streams.file)
    with pytest.raises(UserError, match=r'a sensor of 640x480 .* export it again with --size 3'):
        inferencer([moving_block(0.1)], size=(640, 480))
    with pytest.raises(UserError, match='is a detector of events, not of images'):
        OnnxDetector(streams.file)
    for changes, message in (
        (dict(input='images'), 'is a detector of images'),
        (dict(histogram=None), 'does not say of which representation .* again'),
        (dict(histogram=dict(bins=0)), 'histogram, count_cutoff: bins'),
    ):
        recorded = replace(streams.file.recorded, **changes)
        changed = streams.file._replace(recorded=recorded)
        with pytest.raises(UserError, match=message):
            OnnxStreamingInferencer(changed)
    config = copy.deepcopy(streams.config)
    config.test_dataloader.dataset.pipeline.insert(1, dict(type='RandomFlipClip'))
    with pytest.raises(UserError, match='RandomFlipClip; an ONNX file of events can only record'):
        export_onnx(config, streams.checkpoint)
    config = load_experiment(
        str(ADAPTER),
        {
            'model.data_preprocessor.image.type': 'EventFrame',
            'model.data_preprocessor.pad_value': 0,
        },
    )
    random_weights(config, tmp_path / 'a.pth')
    with pytest.raises(UserError, match=r'pad_value=0: .* leave pad_value out'):
        export_onnx(config, str(tmp_path / 'a.pth'))
