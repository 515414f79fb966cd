"""All shapes of detectors as ONNX, at other sizes and batches than they were exported with."""

from pathlib import Path

import numpy as np
import pytest
import torch

from abc_mmdet.apis import load_experiment
from abc_mmdet.deployment import OnnxDetector, export_onnx, write_onnx
from abc_mmdet.deployment.agreement import FP32, Agreement
from abc_mmdet.deployment.recorded import Recorded
from abc_mmdet.errors import UserError

from ..inference.event_streams import wake_adapter

pytest.importorskip('onnxscript', reason="pip install 'abc_mmdet[onnx]'")
onnxruntime = pytest.importorskip('onnxruntime', reason="pip install 'abc_mmdet[onnx]'")

ROOT = Path(__file__).parents[2]
NARROW = {'model.backbone.widen_factor': 0.125, 'model.backbone.deepen_factor': 0.1}
ABC = ('small/abc_synthetic.py', {**NARROW, 'model.neck.in_channels': [16, 32, 64, 128]})
EVENTS = ('small/abc_synthetic_events.py', {'model.bbox_head.main_head.stacked_convs': 1})
EXPERIMENTS = {
    'three_levels': (
        'small/baseline_3level_hituav.py',
        {**NARROW, 'model.neck.in_channels': [32, 64, 128]},
    ),
    'four_levels': (
        'frames/four_level_100k.py',
        {**NARROW, 'model.neck.in_channels': [16, 32, 64, 128]},
    ),
    'abc_on_four_levels': ABC,
    'events_without_memory': (EVENTS[0], {**EVENTS[1], 'model.backbone.recurrent': False}),
    'events': EVENTS,
    'events_on_finer_levels': (
        EVENTS[0],
        {
            **EVENTS[1],
            'model.backbone.out_indices': (0, 1, 2),
            'model.neck.in_channels': [16, 32, 64],
            'model.bbox_head.main_head.strides': (4, 8, 16),
        },
    ),
    'events_as_images': ('small/nano_adapter_synthetic_events.py', {}),
}
STATES = {'events': 8, 'events_on_finer_levels': 6, 'events_as_images': 6}
SIZE = (128, 64)


def experiment(name: str, random_weights, folder: Path) -> tuple:
    path, options = EXPERIMENTS[name]
    config = load_experiment(str(ROOT / 'configs' / path), options)
    random_weights(config, folder / 'weights.pth')
    if 'adapter' in config.model:
        wake_adapter(folder / 'weights.pth')
    return config, str(folder / 'weights.pth')


@pytest.mark.slow  # conftest.py's detector is exported always
@pytest.mark.parametrize(
    ('name', 'fp16'),
    [
        pytest.param(name, fp16, id=f'{name}-{"fp16" if fp16 else "fp32"}')
        for name in EXPERIMENTS
        for fp16 in (False, True)
    ],
)
def test_every_shape(name: str, fp16: bool, random_weights, tmp_path: Path) -> None:
    exported = export_onnx(*experiment(name, random_weights, tmp_path), size=SIZE, fp16=fp16)
    assert exported.is_good, exported.agreement
    assert exported.agreement.detections > 100
    write_onnx(exported, str(tmp_path / 'detector.onnx'))
    session = onnxruntime.InferenceSession(str(tmp_path / 'detector.onnx'))
    recorded = exported.recorded
    assert len(recorded.states) == STATES.get(name, 0)
    width, height = SIZE if recorded.size else (192, 96)
    assert (recorded.size is None) == (name not in STATES)
    channels = 20 if name.startswith('events') else 3
    feed = {'images': np.random.default_rng(0).random((3, channels, height, width), np.float32)}
    for entry in session.get_inputs()[1:]:
        feed[entry.name] = np.zeros((3, *entry.shape[1:]), np.float32)
    outputs = dict(
        zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True)
    )
    assert list(outputs) == ['boxes', 'scores', 'labels', *(f'{s}_after' for s in recorded.states)]
    number = outputs['scores'].shape[1]
    assert outputs['boxes'].shape == (3, number, 4)
    assert outputs['labels'].max() < len(recorded.classes)
    for state in recorded.states:
        assert outputs[f'{state}_after'].shape == feed[state].shape
        assert outputs[f'{state}_after'].any()


def test_mistakes(random_weights, tmp_path: Path) -> None:
    config, checkpoint = experiment('abc_on_four_levels', random_weights, tmp_path)
    with pytest.raises(UserError, match='opset 11: from 18 on'):
        export_onnx(config, checkpoint, opset=11)
    turned = config.copy()
    turned.test_dataloader.dataset.pipeline.insert(1, dict(type='RandomFlip', prob=1.0))
    with pytest.raises(UserError, match='RandomFlip; an ONNX file can only record Resize and Pad'):
        export_onnx(turned, checkpoint)
    (tmp_path / 'detector.onnx').write_bytes(b'no model')
    with pytest.raises(UserError, match='onnxruntime cannot open'):
        OnnxDetector(str(tmp_path / 'detector.onnx'))
    with pytest.raises(UserError, match='there is no file'):
        OnnxDetector(str(tmp_path / 'none.onnx'))
    with pytest.raises(UserError, match='does not say how to use it'):
        Recorded.from_properties({'classes': '[]'}, 'detector.onnx')


def test_packages_that_are_missing_are_named(
    random_weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__('sys').modules, 'onnxscript', None)
    with pytest.raises(UserError, match=r"pip install 'abc_mmdet\[onnx\]'"):
        export_onnx(*experiment('abc_on_four_levels', random_weights, tmp_path))


def test_a_difference_is_noticed() -> None:
    good = dict(
        score=1e-6, box=0.02, of_allowed=0.9, state=0.0, detections=300, alike=299, surplus=1
    )
    assert FP32.allows(Agreement(**good))
    for worse in (
        dict(score=2e-3),
        dict(of_allowed=1.1),
        dict(state=2e-3),
        dict(alike=290),
        dict(surplus=9),
    ):
        assert not FP32.allows(Agreement(**{**good, **worse})), worse
    assert not FP32.allows(Agreement(**{**good, 'of_allowed': torch.nan}))
    assert FP32.of_boxes(torch.tensor([2.0, 10, 200])).tolist() == pytest.approx([1e-3, 1e-3, 0.02])
