"""The data that an experiment is tested on, and how it is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from abc_mmdet.apis.config_parts import coco_evaluators
from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.datasets.events import EventSequenceDataset
from abc_mmdet.errors import UserError
from abc_mmdet.evaluation import SmallObjectMetric
from abc_mmdet.evaluation.bootstrap import group_numbers
from abc_mmdet.evaluation.matching import counts, in_order
from abc_mmdet.evaluation.presets import PRESETS, Preset
from abc_mmdet.models.small_classes import SmallClasses
from abc_mmdet.utils.wrapped import leaves
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS, METRICS

from .ground_truth import coco_ground_truth, event_ground_truth


@dataclass(frozen=True)
class TestSet:
    """Ground truth and images of a data set, and the settings of its evaluation.

    Args:
        source: file or folder that the ground truth comes from.
        image: from the record of an image to its pixels, ``(H, W, 3)``.
        images: COCO's records by id, numbers or text, of those that are evaluated.
        annotations: COCO's records of all classes that are evaluated.
        classes: names, in the order of the labels.
        category_ids: of each label.
        small: labels of the small classes; empty if the config names none.
        thresholds: IoU thresholds.
        max_dets: detections per image and class that are looked at, increasing.
        metric: that evaluates it; None for COCO's own.
        unfiltered: all images and annotations, where a protocol of the metric leaves some out.
        unit: what is evaluated, in the plural.
        group: field of the images that says which of them belong together; empty for none.

    Examples:
        >>> load_test_set(config).classes  # doctest: +SKIP
    """

    __test__ = False  # pytest: no test

    source: Path
    image: Callable[[dict], np.ndarray]
    images: dict[int | str, dict]
    annotations: list[dict]
    classes: tuple[str, ...]
    category_ids: list[int | str]
    small: list[int]
    thresholds: np.ndarray
    max_dets: tuple[int, ...]
    metric: SmallObjectMetric | None = None
    unfiltered: tuple[Sequence[dict], Sequence[dict]] | None = None
    unit: str = 'images'
    group: str = ''

    @property
    def everything(self) -> tuple[Sequence[dict], Sequence[dict]]:
        """Images and annotations, those included that its protocol leaves out."""
        return self.unfiltered or (list(self.images.values()), self.annotations)

    @cached_property
    def known_images(self) -> set[int | str]:
        """Ids of all images that a detector is run on."""
        return {image['id'] for image in self.everything[0]}

    def counting(self, detections: Sequence[dict]) -> list[dict]:
        """The detections that its protocol counts, as it counts them; ``CocoMetric`` counts all."""
        if self.metric is None:
            return list(detections)
        records = *self.everything, detections
        return list(self.metric.counted(*records, self.category_ids).detections)

    @property
    def by_prophesee(self) -> bool:
        """Whether the metrics are those of the Prophesee protocol."""
        return self.metric is not None and self.metric.main_protocol == 'prophesee'

    @property
    def preset(self) -> Preset | None:
        """The published evaluation it is evaluated by, if it is one."""
        return PRESETS.get(self.metric.main_protocol) if self.metric is not None else None

    @property
    def groups(self) -> list[int] | None:
        """Number of its group for every image, in the order of their ids; None without groups."""
        if not self.group:
            return None
        return group_numbers(self.images[i][self.group] for i in in_order(self.images))

    @cached_property
    def labels(self) -> np.ndarray:
        """``(N,)`` label of each annotation."""
        order = {category: label for label, category in enumerate(self.category_ids)}
        return np.array([order[a['category_id']] for a in self.annotations], int)

    @cached_property
    def counted(self) -> np.ndarray:
        """``(N,)`` whether each annotation counts, or neither way."""
        return np.array([counts(a) for a in self.annotations], bool)


def load_test_set(config: Config) -> TestSet:
    """Ground truth and settings of the ``test_dataloader`` and ``test_evaluator`` of a config.

    Raises:
        UserError: no data set of images with a COCO file or of event recordings, no evaluator of
            COCO's kind, files that are missing, classes that the annotation file does not have, or
            no ground truth at all.
    """
    init_default_scope('mmdet')
    options = _innermost(config.get('test_dataloader'))
    metric = _coco_metric(config)
    of_metric = metric.pop('ann_file', None)
    with config_mistakes(str(config.filename)):
        dataset = DATASETS.build(dict(options, lazy_init=True))
        evaluator = METRICS.build(metric)
        evaluator.dataset_meta = dataset.metainfo
    is_ours = isinstance(evaluator, SmallObjectMetric)
    if isinstance(dataset, EventSequenceDataset) and is_ours:
        ground_truth = event_ground_truth(dataset, evaluator)
    else:
        if not of_metric and not options.get('ann_file'):
            raise UserError(
                f'{config.filename}: neither test_evaluator nor the data set of test_dataloader '
                'has an ann_file. The report needs images with a COCO annotation file, or event '
                'recordings and SmallObjectMetric.'
            )
        ground_truth = coco_ground_truth(dataset, of_metric)
    classes = tuple(dataset.metainfo['classes'])
    images, annotations, unfiltered = ground_truth.images, ground_truth.annotations, None
    thresholds, max_dets = np.asarray(evaluator.iou_thrs), tuple(sorted(evaluator.proposal_nums))
    category_ids = ground_truth.category_ids
    if is_ours and evaluator.protocols != ('coco',):
        evaluator.check_marks(has_file=bool(of_metric))
        unfiltered = images, annotations
        counted = evaluator.counted(images, annotations, [], category_ids)
        images, annotations = list(counted.images), list(counted.annotations)
        thresholds = evaluator.matched_thresholds
    annotations = [a for a in annotations if a['category_id'] in category_ids]
    if not any(map(counts, annotations)):
        raise UserError(f'{ground_truth.source} has no box of any of the classes {list(classes)}.')
    return TestSet(
        ground_truth.source,
        ground_truth.image,
        {image['id']: image for image in images},
        annotations,
        classes,
        ground_truth.category_ids,
        _small_labels(config, evaluator, classes),
        thresholds,
        max_dets,
        evaluator if is_ours else None,
        unfiltered,
        ground_truth.unit,
        ground_truth.group,
    )


def _innermost(loader: dict | None) -> dict:
    """The data set of a loader, out of its wrappers."""
    if loader is None:
        raise UserError('The config has no test_dataloader: the report would not know the data.')
    options, *others = leaves(loader['dataset'])
    if others:
        raise UserError('test_dataloader joins several data sets; make a report of each by itself.')
    return options


def _coco_metric(config: Config) -> dict:
    """Options of the first evaluator that is COCO's."""
    for options in coco_evaluators(config, 'test_evaluator'):
        return dict(options)
    raise UserError(
        f'{config.filename}: test_evaluator has no SmallObjectMetric or CocoMetric, by which the '
        'report computes its metrics.'
    )


def _small_labels(config: Config, evaluator: CocoMetric, classes: tuple[str, ...]) -> list[int]:
    """Of the evaluator, or of the config's variable; none if neither names any."""
    names = getattr(evaluator, 'small_classes', None) or config.get('small_classes')
    return list(SmallClasses(classes, names).ids) if names else []
