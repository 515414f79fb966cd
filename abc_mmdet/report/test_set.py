"""The data that an experiment is tested on, and how it is evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from abc_mmdet.apis.config_parts import innermost
from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.errors import UserError
from abc_mmdet.models.small_classes import SmallClasses
from abc_mmdet.own_data import read_whole
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS, METRICS


@dataclass(frozen=True)
class TestSet:
    """Ground truth and pictures of a data set, and the settings of its evaluation.

    Args:
        ann_file: where the ground truth comes from.
        image_folder: what the file names of the images are relative to.
        images: COCO's records by id.
        annotations: COCO's records of all classes that are evaluated.
        classes: names, in the order of the labels.
        category_ids: of each label.
        small: labels of the small classes; empty if the config names none.
        thresholds: IoU thresholds.
        max_dets: detections per image and class that are looked at, increasing.
        backend: see :func:`abc_mmdet.evaluation.coco_figures.backend_of`.
    """

    __test__ = False  # pytest: no test

    ann_file: Path
    image_folder: Path
    images: dict[int, dict]
    annotations: list[dict]
    classes: tuple[str, ...]
    category_ids: list[int]
    small: list[int]
    thresholds: np.ndarray
    max_dets: tuple[int, ...]
    backend: str = 'auto'

    @cached_property
    def labels(self) -> np.ndarray:
        """``(N,)`` label of each annotation."""
        order = {category: label for label, category in enumerate(self.category_ids)}
        return np.array([order[a['category_id']] for a in self.annotations], int)

    @cached_property
    def counted(self) -> np.ndarray:
        """``(N,)`` whether each annotation counts; crowds count neither way."""
        return np.array([not a.get('iscrowd') for a in self.annotations], bool)


def load_test_set(config: Config) -> TestSet:
    """Ground truth and settings of the ``test_dataloader`` and ``test_evaluator`` of a config.

    Raises:
        UserError: no COCO data set or evaluator, files that are missing, classes that the
            annotation file does not have, or no ground truth at all.
    """
    init_default_scope('mmdet')
    options = _innermost(config.get('test_dataloader'))
    metric = _coco_metric(config)
    of_metric = metric.pop('ann_file', None)
    if not of_metric and not options.get('ann_file'):
        raise UserError(
            f'{config.filename}: neither test_evaluator nor the data set of test_dataloader has an '
            'ann_file. The report needs images with a COCO annotation file.'
        )
    with config_mistakes(str(config.filename)):
        dataset = DATASETS.build(dict(options, lazy_init=True))
        evaluator = METRICS.build(metric)
        evaluator.dataset_meta = dataset.metainfo
    ann_file = of_metric or dataset.ann_file
    if not Path(ann_file).is_file():
        raise UserError(f'There is no annotation file {ann_file} (from {Path.cwd()}).')
    file = read_whole(str(ann_file))
    classes = tuple(dataset.metainfo['classes'])
    category_ids = _category_ids(file.categories, classes, ann_file)
    annotations = [a for a in file.annotations if a['category_id'] in category_ids]
    if of_metric is None:
        annotations, category_ids = _as_loaded(annotations, category_ids)
    if not any(not a.get('iscrowd') for a in annotations):
        raise UserError(f'{ann_file} has no box of any of the classes {list(classes)}.')
    return TestSet(
        Path(ann_file),
        Path(dataset.data_prefix.get('img') or dataset.data_root or '.'),
        {image['id']: image for image in file.images},
        annotations,
        classes,
        category_ids,
        _small_labels(config, evaluator, classes),
        np.asarray(evaluator.iou_thrs),
        tuple(sorted(evaluator.proposal_nums)),
        getattr(evaluator, 'backend', 'auto'),
    )


def _innermost(loader: dict | None) -> dict:
    """The data set of a loader, out of its wrappers."""
    if loader is None:
        raise UserError('The config has no test_dataloader: the report would not know the data.')
    options, *others = innermost(loader['dataset'])
    if others:
        raise UserError('test_dataloader joins several data sets; make a report of each by itself.')
    return options


def _coco_metric(config: Config) -> dict:
    """Options of the first evaluator that is COCO's."""
    evaluators = config.get('test_evaluator') or []
    for options in [evaluators] if isinstance(evaluators, dict) else evaluators:
        metric = METRICS.get(options['type'])
        if metric is not None and issubclass(metric, CocoMetric):
            return dict(options)
    raise UserError(
        f'{config.filename}: test_evaluator has no SmallObjectMetric or CocoMetric, by which the '
        'report computes its figures.'
    )


def _category_ids(categories: Sequence[dict], classes: Sequence[str], ann_file: str) -> list[int]:
    by_name = {c['name']: c['id'] for c in categories}
    missing = [name for name in classes if name not in by_name]
    if missing:
        raise UserError(
            f'{ann_file} has no classes {missing}.\n'
            f'  of the config: {list(classes)}\n'
            f'  of the file:   {list(by_name)}'
        )
    return [by_name[name] for name in classes]


def _as_loaded(
    annotations: Sequence[dict], category_ids: Sequence[int]
) -> tuple[list[dict], list[int]]:
    """Ground truth as an evaluator without ``ann_file`` gets it: labels, and areas of boxes."""
    label = {category: i for i, category in enumerate(category_ids)}
    return [
        dict(a, category_id=label[a['category_id']], area=a['bbox'][2] * a['bbox'][3])
        for a in annotations
    ], list(range(len(category_ids)))


def _small_labels(config: Config, evaluator: CocoMetric, classes: tuple[str, ...]) -> list[int]:
    """Of the evaluator, or of the config's variable; none if neither names any."""
    names = getattr(evaluator, 'small_classes', None) or config.get('small_classes')
    return list(SmallClasses(classes, names).ids) if names else []
