"""Our detectors in MMDetection's own functions for inference."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from abc_mmdet.apis import load_experiment, sliced
from abc_mmdet.errors import UserError
from abc_mmdet.inference import Detector
from mmdet.apis import DetInferencer, inference_detector, init_detector
from mmdet.registry import MODELS

CONFIGS = Path(__file__).parents[3] / 'configs'
TINY = {
    'model.backbone.widen_factor': 0.125,
    'model.backbone.deepen_factor': 0.1,
    'model.neck.in_channels': [16, 32, 64, 128],
}
IMAGE = np.random.default_rng(0).integers(0, 256, (96, 160, 3), np.uint8)


@pytest.fixture(scope='module')
def config() -> Config:
    return load_experiment(str(CONFIGS / 'small/abc_synthetic.py'), TINY)


@pytest.fixture(scope='module')
def weights(config: Config, random_weights, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp('weights') / 'weights.pth'
    random_weights(config, path)
    return str(path)


def write(config: Config, folder: Path, form: str) -> str:
    """The config's detector in slices, in the ways that a user comes by such a config."""
    path = str(folder / f'{form}.py')
    if form == 'by_us':
        sliced(config, (64, 64)).dump(path)
        return path
    config.dump(str(folder / 'base.py'))
    model = "dict(type='SlicedDetector', detector='YOLOX', slice_size=(64, 64))"
    whole = dict(type='Resize', scale_factor=1.0, keep_ratio=True)
    load, _, _, *others = config.test_dataloader.dataset.pipeline
    pipeline = [dict(step) for step in (load, whole, *others)]
    lines = [
        "_base_ = './base.py'",
        f'model = {model}',
        f'test_dataloader = dict(dataset=dict(pipeline={pipeline}))',
    ]
    Path(path).write_text('\n'.join(lines))
    return path


@pytest.mark.parametrize('form', ['by_us', pytest.param('by_hand', marks=pytest.mark.slow)])
def test_sliced_detectors(config: Config, weights: str, tmp_path: Path, form: str) -> None:
    """What MMDetection's functions find is what ours find, but for what is cut at the border."""
    path = write(config, tmp_path, form)
    ours = Detector(config, weights, 'cpu', slicing=dict(slice_size=(64, 64)))(IMAGE)
    expected = ours.above(0.28)
    model = init_detector(path, weights, device='cpu')
    assert type(model).__name__ == 'SlicedDetector'
    assert model.dataset_meta['classes'] == config.classes
    found = inference_detector(model, IMAGE).pred_instances
    found = found[found.scores >= 0.28]
    assert len(found) == len(expected) > 10
    size = torch.tensor([160.0, 96, 160, 96])
    boxes = found.bboxes.clamp(min=torch.zeros(4), max=size)
    assert np.allclose(boxes.numpy(), expected.boxes, atol=1e-3)
    assert np.allclose(found.scores.numpy(), expected.scores, atol=1e-5)
    assert found.labels.tolist() == expected.labels.tolist()

    inferencer = DetInferencer(path, weights, device='cpu', show_progress=False)
    result = inferencer(IMAGE, out_dir=str(tmp_path / 'out'), pred_score_thr=0.28)
    (prediction,) = result['predictions']
    best = [score for score in prediction['scores'] if score >= 0.28]
    assert np.allclose(best, expected.scores, atol=1e-5)
    assert len(list((tmp_path / 'out/vis').iterdir())) == 1


@pytest.mark.parametrize('kind', ['file', 'array'])
def test_recordings_are_no_images(tmp_path: Path, kind: str) -> None:
    """``init_detector`` builds a detector of recordings; an image is refused in words."""
    config = load_experiment(str(CONFIGS / 'small/abc_synthetic_events.py'))
    config.dump(str(tmp_path / 'events.py'))
    state = dict(state_dict=MODELS.build(config.model).state_dict())
    state['meta'] = dict(dataset_meta=dict(classes=config.classes))
    torch.save(state, tmp_path / 'events.pth')
    model = init_detector(str(tmp_path / 'events.py'), str(tmp_path / 'events.pth'), device='cpu')
    with pytest.raises(UserError, match=r'is of event recordings, and got (street\.png|an image)'):
        inference_detector(model, 'street.png' if kind == 'file' else IMAGE)
