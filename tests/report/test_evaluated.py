"""The metrics are those of SmallObjectMetric, by way of the file that it writes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from abc_mmdet.apis import load_experiment
from abc_mmdet.evaluation.bootstrap import HEADLINE
from abc_mmdet.report import TestSet, evaluate, read_detections
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
    named = evaluate('a', 'a.bbox.json', test_set, read).named
    assert named['bbox_mAP'] > 0.2, 'there is something to compare'
    digits = dict(abs=1e-9) if metric == 'SmallObjectMetric' else dict(abs=5.1e-4)
    for key, value in printed.items():
        key = key.removeprefix('coco/')
        if np.isnan(value):
            assert np.isnan(named[key])
        elif value != -1:  # CocoMetric's sign for none
            assert named[key] == pytest.approx(value, **digits), key


def test_classes_without_boxes_have_no_metric(test_set: TestSet) -> None:
    result = evaluate('a', 'a', test_set, imperfect(test_set, 0))
    label = test_set.classes.index('tram')
    assert np.isnan(result.named['tram_precision'])
    assert result.f1_curves[label] is None
    assert not np.isnan(result.named['bbox_mAP'])


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
