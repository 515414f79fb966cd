"""The metrics are those of SmallObjectMetric, by way of the file that it writes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from abc_mmdet.apis import load_experiment
from abc_mmdet.evaluation.bootstrap import HEADLINE
from abc_mmdet.evaluation.presets import PRESETS
from abc_mmdet.report import TestSet, evaluate, load_test_set, read_detections, render
from abc_mmdet.report.tables import summary_rows
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


# Of 45x20 pixels, 25 of them beyond the border of the image: as it is its IoU is 400 / 900, of the
# part inside 1. A second box is found to 10 of its 20 pixels (IoU 0.5).
BORDER_BOXES = ([80, 40, 20, 20], [10, 10, 20, 20])
BORDER_FOUND = ([80, 40, 45, 20], [10, 10, 20, 10])


def at_the_border(protocol: str | tuple[str, ...]) -> TestSet:
    images = {0: dict(id=0, width=100, height=100, timestamp_us=600_000)}
    boxes = [
        dict(id=i, image_id=0, category_id=0, bbox=box, area=400, iscrowd=0)
        for i, box in enumerate(BORDER_BOXES)
    ]
    limits = dict(prophesee_min_side=5, prophesee_min_diagonal=5)
    options = dict(type='SmallObjectMetric', protocol=protocol, iou_thrs=[0.5, 0.9], **limits)
    metric = METRICS.build(options)
    metric.dataset_meta = dict(classes=('car',))
    pixels = np.zeros((100, 100, 3), np.uint8)
    return TestSet(
        source=Path('a.json'),
        image=lambda image: pixels,
        images=images,
        annotations=boxes,
        classes=('car',),
        category_ids=[0],
        small=[0],
        thresholds=np.array([0.5, 0.9]),
        max_dets=(100, 300, 1000),
        metric=metric,
        unfiltered=(list(images.values()), boxes) if protocol == 'prophesee' else None,
    )


@pytest.mark.parametrize(
    ('protocol', 'ap', 'ap_50', 'errors'),
    [
        (('coco', 'prophesee'), (1 + 51 / 101) / 2, 1.0, {}),
        # The first found nothing, so precision is 0 and 1 / 2, up to a recall of a half at 0.5
        ('prophesee', 51 / 101 / 2 / 2, 51 / 101 / 2, {'Loc': 1}),
    ],
    ids=['coco', 'prophesee'],
)
def test_one_protocol_counts_for_table_intervals_and_errors(
    protocol: str | tuple[str, ...], ap: float, ap_50: float, errors: dict[str, int]
) -> None:
    """By hand: COCO cuts detections at the border of their image, Prophesee's does not."""
    detections = [
        dict(image_id=0, category_id=0, bbox=box, score=score)
        for box, score in zip(BORDER_FOUND, (0.9, 0.8), strict=True)
    ]
    result = evaluate('a', 'a', at_the_border(protocol), detections, fixed_threshold=0.0)
    assert result.named['bbox_mAP'] == pytest.approx(ap, abs=5e-4)
    assert result.named['bbox_mAP_50'] == pytest.approx(ap_50, abs=5e-4)
    for name in HEADLINE:
        assert result.resampled[name] == pytest.approx(ap), name
    assert {k: n for k, n in result.errors.counts.items() if n} == errors
    assert result.detections[0]['bbox'] == (BORDER_FOUND if errors else BORDER_BOXES)[0]


def test_other_thresholds_than_that_of_the_errors() -> None:
    """Errors are those at IoU 0.5, whatever thresholds the config evaluates at."""
    test_set = at_the_border('coco')
    test_set.metric.iou_thrs = np.array([0.9])
    test_set = replace(test_set, thresholds=np.array([0.9]))
    (box, *_), found = BORDER_BOXES, [dict(image_id=0, category_id=0, score=0.5)]
    shifted = [dict(found[0], bbox=[box[0] - 5, *box[1:]])]  # IoU 15 / 25
    result = evaluate('a', 'a', test_set, shifted, fixed_threshold=0.0)
    assert result.named['bbox_mAP'] == 0
    assert result.errors.false_positives == {} and len(result.errors.false_negatives) == 1


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
        assert 'frame_000' in results.read_text()
    assert len(render([of_text], gallery=4)) > 10_000


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


@pytest.mark.parametrize('protocol', PRESETS)
def test_published_evaluations(
    protocol: str, traffic: Path, test_set: TestSet, tmp_path: Path
) -> None:
    """Their figures under their names, ignored regions of a category of their own included."""
    content = json.loads((traffic / 'annotations' / 'val.json').read_text())
    content['categories'].append(dict(id=99, name='ignored regions'))
    for number, box in enumerate(content['annotations']):
        box['uncertain'] = int(number % 5 == 4)
    content['annotations'] += [
        dict(id=9000 + i, image_id=image['id'], category_id=99, bbox=[0, 0, 70, 128], area=8960)
        | dict(iscrowd=1)
        for i, image in enumerate(content['images'])
    ]
    path = tmp_path / 'marked.json'
    path.write_text(json.dumps(content))
    options = {'data_root': str(traffic), 'test_evaluator.protocol': protocol}
    config = load_experiment(CONFIG, {**options, 'test_evaluator.ann_file': str(path)})
    marked = load_test_set(config)
    detections = imperfect(test_set, seed=5)
    result = evaluate('a', 'a.bbox.json', marked, detections)

    metric = METRICS.build(dict(config.test_evaluator))
    metric.dataset_meta = dict(classes=marked.classes)
    records = content['images'], content['annotations'], detections, marked.category_ids
    np.testing.assert_equal(result.named, metric.evaluate_records(*records)[0])
    assert result.named['bbox_mAP_50'] > 0.1
    left_out = len(detections) - len(result.detections)
    assert left_out > 0 if protocol == 'visdrone' else left_out == 0
    headings, (row,) = summary_rows([result])
    titles = list(PRESETS[protocol].columns.values())
    assert [h for h in headings if h in titles] == [
        title for key, title in PRESETS[protocol].columns.items() if f'bbox_{key}' in result.named
    ]
    assert all(0 <= figure.value <= 1 for figure in row.metrics)
    assert result.interval(result, 'bbox_mAP') is None
    if protocol == 'visdrone':  # charts take seconds, and are the same for all
        page = render([result, result], gallery=1)
        assert headings[0] in page and f'By the protocol of {PRESETS[protocol].title}' in page
