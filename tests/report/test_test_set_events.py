"""Event recordings in the report: ground truth, figures and images are those of the test."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from abc_mmdet.report import TestSet, evaluate, load_test_set, read_detections, render
from abc_mmdet.report.tables import summary_rows
from mmdet.registry import DATASETS, METRICS

from ..custom_dataset.events import BICYCLE, CAR, PEDESTRIAN, leaf, record
from .conftest import imperfect

CLASSES = ('car', 'pedestrian')


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of 0.8 s; cars and those who walk are large enough for either protocol."""
    root = tmp_path_factory.mktemp('events')
    for seed, name in enumerate(('a', 'b')):
        boxes = [
            [
                (2 + 2 * i, 4, 24, 30, PEDESTRIAN),
                (40, 20, 28, 26, CAR),
                (70 - i, 8, 8, 8, PEDESTRIAN),
                (70, 40, 20, 20, BICYCLE),  # not of the classes of the config
            ]
            for i in range(8)
        ]
        record(root / 'test' / name, boxes, seed)
    return root


def config(root: Path, **metric: object) -> Config:
    loader = dict(dataset=leaf(root, 'test', test_mode=True))
    loader['dataset']['metainfo'] = dict(classes=CLASSES)
    evaluator = dict(type='SmallObjectMetric', small_classes=('pedestrian',), **metric)
    return Config(dict(test_dataloader=loader, test_evaluator=evaluator))


def printed_by_test(experiment: Config, detections: list[dict], prefix: Path) -> dict[str, float]:
    """What the metric says of the samples of the data set, as in a test; it writes them, too."""
    dataset = DATASETS.build(experiment.test_dataloader.dataset)
    metric = METRICS.build(dict(experiment.test_evaluator, outfile_prefix=str(prefix)))
    metric.dataset_meta = dataset.metainfo
    for i in range(len(dataset)):
        clip = dataset[i]['data_samples']
        for sample in clip.video_data_samples if len(clip) else []:
            found = [d for d in detections if d['image_id'] == sample.img_id]
            boxes = torch.tensor([d['bbox'] for d in found]).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
            predicted = dict(
                bboxes=boxes,
                scores=torch.tensor([d['score'] for d in found]),
                labels=torch.tensor([d['category_id'] for d in found], dtype=torch.long),
            )
            metric.process({}, [dict(sample.to_dict(), pred_instances=predicted)])
    return metric.evaluate(len(dataset))


@pytest.mark.parametrize(
    'options',
    [
        pytest.param({}, id='coco', marks=pytest.mark.slow),
        pytest.param(dict(protocol=('coco', 'prophesee'), subsets=('still',)), id='both'),
        pytest.param(dict(protocol='prophesee'), id='prophesee', marks=pytest.mark.slow),
    ],
)
def test_figures_are_those_of_the_test(options: dict, root: Path, tmp_path: Path) -> None:
    experiment = config(root, **options)
    test_set = load_test_set(experiment)
    found = imperfect(load_test_set(config(root)), seed=3)
    printed = printed_by_test(experiment, found, tmp_path / 'detections')
    read = read_detections(tmp_path / 'detections.bbox.json', test_set)
    if 'protocol' in options:  # Prophesee's takes detections as they are
        assert len(read) == len(found)
    else:  # without those outside the image, which the metric cuts at its border
        assert 0.8 * len(found) < len(read) < len(found)
    result = evaluate('ours', 'ours.bbox.json', test_set, read)
    expected = {name.removeprefix('coco/'): value for name, value in printed.items()}
    assert set(result.named) == set(expected)
    np.testing.assert_allclose(list(result.named.values()), [expected[k] for k in result.named])
    assert 0.05 < result.named['bbox_mAP'] < 0.95, 'there is something to compare'
    # Everything else on the page is of what that protocol counts
    assert len(result.matches.scores) == len(result.detections)
    if options.get('protocol') == 'prophesee':
        assert len(result.detections) < len(read)
        assert {image['timestamp_us'] > 500_000 for image in test_set.images.values()} == {True}
        assert len(test_set.annotations) == 2 * 2 * 3, 'two of the boxes of the last three frames'
    headings, _ = summary_rows([result])
    assert ('mAP, Prophesee' in headings) == ('subsets' in options)
    if options.get('protocol') == 'prophesee':
        page = render([result])
        assert 'By the Prophesee protocol' in page and '<dt>labelled frames</dt><dd>6<' in page
        assert page.count('<figure>') > 0


def test_ground_truth_is_that_of_the_data_set(root: Path) -> None:
    test_set = load_test_set(config(root))
    assert isinstance(test_set, TestSet)
    assert len(test_set.images) == 16
    first = test_set.images[0]
    assert (first['width'], first['height'], first['file_name']) == (96, 64, 'a_0000100ms')
    of_first = [a for a in test_set.annotations if a['image_id'] == 0]
    assert [a['bbox'] for a in of_first] == [[2, 4, 24, 30], [40, 20, 28, 26], [70, 8, 8, 8]]
    assert [test_set.classes[a['category_id']] for a in of_first] == [
        'pedestrian', 'car', 'pedestrian'
    ]  # fmt: skip
    assert test_set.groups == [0] * 8 + [1] * 8, 'frames of a recording are drawn together'


def test_images_are_the_events_in_the_size_of_the_sensor(root: Path) -> None:
    test_set = load_test_set(config(root))
    dataset = DATASETS.build(config(root).test_dataloader.dataset)
    drawn = test_set.image(test_set.images[11])
    assert drawn.shape == (64, 96, 3)
    clip = next(c for c in map(dataset.__getitem__, range(len(dataset))) if 11 in ids(c))
    (step,) = [s.step for s in clip['data_samples'].video_data_samples if s.img_id == 11]
    seen = clip['inputs'][step].sum(dim=0).numpy() > 0
    assert np.array_equal((drawn[::2, ::2] < 255).any(axis=2), seen)


def ids(clip: dict) -> list[int]:
    sample = clip['data_samples']
    return [s.img_id for s in sample.video_data_samples] if len(sample) else []
