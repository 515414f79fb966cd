"""Images as a detector sees them, and which of them are chosen."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from abc_mmdet.apis import load_experiment
from abc_mmdet.errors import UserError
from abc_mmdet.inference import Detections, Detector
from abc_mmdet.inference.images import write_image

sys.path.append(str(Path(__file__).parents[3] / 'benchmarks'))

from image_selection.informativeness import (
    LEAST_SCORE,
    Informativeness,
    informativeness,
)
from image_selection.selection import Candidate, examine, features, select

CONFIG = str(Path(__file__).parents[3] / 'configs/small/abc_synthetic.py')
TINY = {
    'model.backbone.widen_factor': 0.125,
    'model.backbone.deepen_factor': 0.1,
    'model.neck.in_channels': [16, 32, 64, 128],
}
SLICES = dict(slice_size=(64, 64), full_image=False)


def candidate(name: str, weight: float, *where: float) -> Candidate:
    nothing = Detections(
        boxes=np.zeros((0, 4), np.float32),
        scores=np.zeros(0, np.float32),
        labels=np.zeros(0, np.int64),
        classes=('car',),
        size=(64, 64),
        source=Path(name),
    )
    return Candidate(Path(name), Informativeness(weight - 1, 0), np.array(where), nothing)


def test_a_second_image_of_one_scene_waits() -> None:
    pool = [
        candidate('crowd', 20, 0, 0),
        candidate('crowd a second later', 19, 0.01, 0),
        candidate('street', 4, 1, 0),
        candidate('field', 1, 0, 2),
    ]

    def names(number: int, labelled: np.ndarray | None = None) -> list[str]:
        return [each.path.name for each in select(pool, number, labelled)]

    assert names(2) == ['crowd', 'street']
    assert names(4) == ['crowd', 'street', 'field', 'crowd a second later']
    assert names(2, np.array([[0.0, 0.0]])) == ['street', 'field'], 'the crowd has labels already'
    assert select([], 3) == []


@pytest.fixture(scope='module')
def detectors(random_weights, tmp_path_factory: pytest.TempPathFactory) -> tuple[Detector, ...]:
    config = load_experiment(CONFIG, TINY)
    path = tmp_path_factory.mktemp('run') / 'weights.pth'
    random_weights(config, path)
    return Detector(config, path, 'cpu'), Detector(config, path, 'cpu', SLICES)


@pytest.fixture(scope='module')
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('images') / 'a.png'
    write_image(path, np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8))
    return path


def test_an_image_is_examined(detectors: tuple[Detector, ...], image: Path) -> None:
    whole, sliced = detectors
    found = whole(image)
    seen = examine(image, whole, sliced)
    assert seen.informativeness == informativeness(found, sliced(image))
    assert seen.informativeness.disagreement > 0
    assert examine(image, whole).informativeness.disagreement == 0
    assert 0 < len(seen.found) == (found.scores >= LEAST_SCORE).sum()
    assert np.array_equal(seen.features, features(image, whole))
    assert not whole.model.backbone._forward_hooks


def test_features_are_means_of_the_levels(detectors: tuple[Detector, ...], image: Path) -> None:
    whole, sliced = detectors
    batches = []
    handle = whole.model.backbone.register_forward_pre_hook(
        lambda _, inputs: batches.append(inputs)
    )
    vector = features(image, whole)
    handle.remove()
    with torch.no_grad():
        levels = whole.model.backbone(*batches[0])
    expected = []
    for level in levels:
        mean = level[0].numpy().reshape(level.shape[1], -1).mean(1)
        expected.append(mean / np.linalg.norm(mean))
    assert np.allclose(vector, np.concatenate(expected), atol=1e-5)
    assert np.square(vector).sum() == pytest.approx(len(levels), rel=1e-5)
    assert features(image, sliced).shape == vector.shape, 'the mean of the slices'


def test_a_file_that_is_no_image(detectors: tuple[Detector, ...], tmp_path: Path) -> None:
    (tmp_path / 'a.png').write_text('text')
    with pytest.raises(UserError, match=r'a\.png'):
        examine(tmp_path / 'a.png', *detectors)
    assert not detectors[0].model.backbone._forward_hooks
