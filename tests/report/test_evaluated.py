"""The metrics are those of SmallObjectMetric, by way of the file that it writes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from abc_mmdet.apis import load_experiment
from abc_mmdet.evaluation.bootstrap import HEADLINE
from abc_mmdet.report import TestSet, evaluate, load_test_set, read_detections, render
from mmdet.registry import METRICS

from .conftest import CONFIG, imperfect


@pytest.mark.parametrize('metric', ['SmallObjectMetric', 'CocoMetric'])
def test_metrics_are_those_of_the_test(
    metric: str, test_set: TestSet, traffic: Path, tmp_path: Path
) -> None:
    options = dict(load_experiment(CONFIG, dict(data_root=str(traffic))).test_evaluator)
    if metric == 'CocoMetric':
        options = dict(type=metric, ann_file=options['ann_file'], classwise=True, prefix='coco')
    built = METRICS.build(dict(options, outfile_prefix=str(tmp_path / 'detections')))
    built.dataset_meta = dict(classes=test_set.classes)
    detections = imperfect(test_set, seed=5)
    label = {category: i for i, category in enumerate(test_set.category_ids)}
    for image in test_set.images.values():
        found = [d for d in detections if d['image_id'] == image['id']]
        boxes = torch.tensor([d['bbox'] for d in found]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        predicted = dict(
            bboxes=boxes,
            scores=torch.tensor([d['score'] for d in found]),
            labels=torch.tensor([label[d['category_id']] for d in found], dtype=torch.long),
        )
        size = (image['height'], image['width'])
        built.process({}, [dict(img_id=image['id'], ori_shape=size, pred_instances=predicted)])
    printed = built.evaluate(len(test_set.images))

    read = read_detections(tmp_path / 'detections.bbox.json', test_set)
    assert len(read) == len(detections)
    if metric == 'CocoMetric':  # which does not cut detections at the border of the image
        test_set = replace(test_set, metric=None)
    named = evaluate('a', 'a.bbox.json', test_set, read).named
    assert named['bbox_mAP'] > 0.2, 'there is something to compare'
    digits = dict(abs=1e-9) if metric == 'SmallObjectMetric' else dict(abs=5.1e-4)
    for key, value in printed.items():
        key = key.removeprefix('coco/')
        if np.isnan(value):
            assert np.isnan(named[key])
        elif value != -1:  # CocoMetric's sign for none
            assert named[key] == pytest.approx(value, **digits), key


def test_ids_may_be_text(test_set: TestSet, traffic: Path, tmp_path: Path) -> None:
    """The same metrics as with numbers, in resamples too."""
    content = json.loads((traffic / 'annotations' / 'val.json').read_text())
    for entry in content['images']:
        entry['id'] = f'frame_{entry["id"]:06}'
    for entry in content['annotations']:
        entry['image_id'] = f'frame_{entry["image_id"]:06}'
    path = tmp_path / 'text.json'
    path.write_text(json.dumps(content))
    options = {'data_root': str(traffic), 'test_evaluator.ann_file': str(path)}
    of_text = load_test_set(load_experiment(CONFIG, options))
    detections = imperfect(test_set, seed=5)
    renamed = [dict(d, image_id=f'frame_{d["image_id"]:06}') for d in detections]
    results = tmp_path / 'detections.bbox.json'
    results.write_text(json.dumps(renamed))
    read = read_detections(results, of_text)
    numbers = evaluate('a', 'a', test_set, detections)
    texts = evaluate('a', 'a', of_text, read)
    np.testing.assert_equal(texts.named, numbers.named)
    np.testing.assert_equal(texts.resampled, numbers.resampled)
    assert texts.errors.false_negatives == numbers.errors.false_negatives


def test_classes_without_boxes_have_no_metric(test_set: TestSet) -> None:
    result = evaluate('a', 'a', test_set, imperfect(test_set, 0))
    label = test_set.classes.index('tram')
    assert np.isnan(result.named['tram_precision'])
    assert result.f1_curves[label] is None
    assert not np.isnan(result.named['bbox_mAP'])


def test_ids_that_are_text(traffic: Path, test_set: TestSet, tmp_path: Path) -> None:
    """Images and categories by text, or numbers and text: the figures are those of numbers."""
    for name in ('text', 'both'):

        def other(value: int, kind: str, of: str = name) -> int | str:
            return value if of == 'both' and value % 2 else f'{kind}_{value:06d}'

        content = json.loads((traffic / 'annotations' / 'val.json').read_text())
        for image in content['images']:
            image['id'] = other(image['id'], 'frame')
        for category in content['categories']:
            category['id'] = other(category['id'], 'category')
        for box in content['annotations']:
            box['image_id'] = other(box['image_id'], 'frame')
            box['category_id'] = other(box['category_id'], 'category')
        path = tmp_path / f'{name}.json'
        path.write_text(json.dumps(content))
        options = {'test_evaluator.ann_file': str(path), 'data_root': str(traffic)}
        named = load_test_set(load_experiment(CONFIG, options))
        detections = imperfect(test_set, seed=3)
        results = tmp_path / f'{name}.bbox.json'
        as_text = [
            dict(
                d,
                image_id=other(d['image_id'], 'frame'),
                category_id=other(d['category_id'], 'category'),
            )
            for d in detections
        ]
        results.write_text(json.dumps(as_text))
        of_text = evaluate('a', 'a', named, read_detections(results, named))
        of_numbers = evaluate('a', 'a', test_set, detections)
        if name == 'text':  # equal scores would be in another order if numbers came first
            assert of_text.errors.false_negatives == of_numbers.errors.false_negatives
        assert of_text.named == pytest.approx(of_numbers.named, nan_ok=True)
        assert (of_text.errors.confusion == of_numbers.errors.confusion).all()
        assert of_text.interval(of_text, 'bbox_mAP') == (0, 0)
        assert 'frame_000' in results.read_text() and len(render([of_text], gallery=4)) > 10_000


def test_nothing_detected(test_set: TestSet) -> None:
    result = evaluate('a', 'a', test_set, [])
    assert result.named['bbox_mAP'] == 0
    assert result.pooled_f1 is None
    assert len(result.errors.false_negatives) == test_set.counted.sum()


def test_intervals(results: list) -> None:
    worse, better = results
    for name in HEADLINE:
        low, high = better.interval(worse, name)
        difference = better.named[name] - worse.named[name]
        assert low < difference < high
        assert difference > 0
        assert worse.interval(worse, name) == (0, 0)
    assert better.interval(worse, 'bbox_mAP_50') is None


def test_thresholds(results: list, test_set: TestSet) -> None:
    curve = results[0].pooled_f1
    assert results[0].errors.threshold == curve.best_threshold
    fixed = evaluate('a', 'a', test_set, results[0].detections, fixed_threshold=0.9)
    assert all(fixed.detections[d]['score'] >= 0.9 for d in fixed.errors.kept)
    assert 0 < len(fixed.errors.kept) < len(results[0].errors.kept)
