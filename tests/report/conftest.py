"""A few frames of synthetic traffic, and detections that are right in part."""

import json
from pathlib import Path

import numpy as np
import pytest

from abc_mmdet.apis import load_experiment
from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare
from abc_mmdet.report import TestSet, evaluate, load_test_set

CONFIG = str(Path(__file__).parents[2] / 'configs' / 'small' / 'abc_synthetic.py')


@pytest.fixture(scope='session')
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('report') / 'traffic'
    prepare(root, Recipe(train=1, val=6, width=192, height=128, seed=3))
    path = root / 'annotations' / 'val.json'
    content = json.loads(path.read_text())
    (tram,) = [c['id'] for c in content['categories'] if c['name'] == 'tram']
    content['annotations'] = [a for a in content['annotations'] if a['category_id'] != tram]
    path.write_text(json.dumps(content))  # one class without any box
    return root


@pytest.fixture(scope='session')
def test_set(traffic: Path) -> TestSet:
    return load_test_set(load_experiment(CONFIG, dict(data_root=str(traffic))))


def imperfect(test_set: TestSet, seed: int, error: float = 0.1) -> list[dict]:
    """Most objects are found, some under another name or twice; some detections are of nothing."""
    rng = np.random.default_rng(seed)
    found = []

    def add(image: int, category: int, box: np.ndarray, score: float) -> None:
        box = [*box[:2], *np.maximum(box[2:], 1)]
        found.append(
            dict(image_id=image, category_id=category, bbox=list(map(float, box)), score=score)
        )

    for a in test_set.annotations:
        box = np.array(a['bbox'], float)
        side = np.sqrt(box[2] * box[3])
        for _ in range(rng.choice(3, p=[0.25, 0.6, 0.15])):
            category = a['category_id']
            if rng.random() < 0.15:
                category = int(rng.choice(test_set.category_ids))
            moved = box + rng.normal(0, error * side, 4)
            add(a['image_id'], category, moved, float(rng.uniform(0.1, 1)))
    for image in test_set.images:
        box = np.array([*rng.uniform(0, 100, 2), *rng.uniform(5, 30, 2)])
        add(image, int(rng.choice(test_set.category_ids)), box, float(rng.uniform(0, 0.9)))
    return found


@pytest.fixture(scope='session')
def results(test_set: TestSet) -> list:
    """Two results, the first one worse."""
    return [
        evaluate(name, f'{name}.bbox.json', test_set, imperfect(test_set, seed, error))
        for name, seed, error in (('baseline', 0, 0.15), ('ours', 1, 0.05))
    ]
