"""Evaluations as data sets publish them: sizes, thresholds, ignored regions."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .average_precision import CocoMetrics, coco_metrics
from .ignored_ground_truth import (
    TINYPERSON_MARKS,
    ExcusedInRegions,
    tinyperson_truth,
    uncounted,
    without_classless,
)
from .matching import AREAS, NO_LIMIT, ClassOverlaps
from .visdrone_protocol import visdrone_metrics, without_ignored

COCO_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10))


@dataclass(frozen=True)
class Figure:
    """A published figure: AP, or recall with ``recall``.

    Args:
        iou: one threshold; None for the mean over all.
        area: name of the size; None for that of the preset.
        max_dets: detections that are looked at; None for the number of the preset.
        recall: whether it is AR.
    """

    iou: float | None = None
    area: str | None = None
    max_dets: int | None = None
    recall: bool = False

    def of(self, evaluated: CocoMetrics, label: int | None = None) -> float:
        """Its value, of one class or over all; nan without ground truth."""
        if self.recall:
            return evaluated.ar(self.area, self.max_dets)
        return evaluated.ap(self.iou, self.area, label, self.max_dets)


@dataclass(frozen=True)
class Preset:
    """How a data set is evaluated.

    Args:
        title: name of the data set.
        toolkit: whose rules these are, with the year.
        max_dets: detections per image and class that are looked at (VisDrone: per image).
        sizes: ranges of areas by name, square pixels; a border belongs to both sizes.
        main: size and number of detections of mAP, AP50 and AP75, and of the AP of each class.
        figures: by name, without ``bbox_``; beside mAP, AP50 and AP75.
        columns: which of them a table shows, and their headings.
        thresholds: of IoU.
        marks: fields of annotations that count neither way, which no data set hands on.
        truth: makes ground truth of annotations.
        regions: what is marked covers a region, and what lies in it is left out (VisDrone).
        kind: of :class:`ClassOverlaps`.
    """

    title: str
    toolkit: str
    max_dets: tuple[int, ...]
    sizes: Mapping[str, tuple[float, float]]
    main: tuple[str, int | None]
    figures: Mapping[str, Figure]
    columns: Mapping[str, str]
    thresholds: tuple[float, ...] = COCO_THRESHOLDS
    marks: tuple[str, ...] = ()
    truth: Callable[[Sequence[dict]], list[dict]] = list
    regions: bool = False
    kind: type[ClassOverlaps] = field(default=ClassOverlaps)

    @property
    def all_figures(self) -> dict[str, Figure]:
        """By name, without ``bbox_``."""
        usual = {'mAP': Figure(), 'mAP_50': Figure(0.5), 'mAP_75': Figure(0.75)}
        return {**usual, **self.figures}

    def selected(
        self, images: Sequence[dict], annotations: Sequence[dict], detections: Sequence[dict]
    ) -> tuple[list[dict], list[dict]]:
        """Ground truth and detections as :meth:`evaluate` takes them."""
        if self.regions:
            return without_ignored(images, annotations, detections)
        return self.truth(annotations), list(detections)

    def evaluate(
        self,
        images: Sequence[Hashable],
        category_ids: Sequence[Hashable],
        annotations: Sequence[Mapping],
        detections: Sequence[Mapping],
        keep: Sequence[str] = (),
    ) -> CocoMetrics:
        """Evaluate what :meth:`selected` gives; sizes of :data:`AREAS` are evaluated as well."""
        boxes = images, category_ids, annotations, detections, self.thresholds, self.max_dets
        areas = {**AREAS, **self.sizes}
        if self.regions:
            return visdrone_metrics(*boxes, areas, keep)
        return coco_metrics(*boxes, areas, keep, self.kind, self.main)

    def named(
        self,
        evaluated: CocoMetrics,
        names: Sequence[str],
        small: Sequence[int],
        items: Sequence[str] | None = None,
    ) -> dict[str, float]:
        """The published figures, under names as of ``named_metrics``."""
        values = {key: figure.of(evaluated) for key, figure in self.all_figures.items()}
        values['mAP_small_classes'] = evaluated.mean_ap(small)
        values['mAP_50_small_classes'] = evaluated.mean_ap(small, 0.5)
        metrics = {
            f'{name}_precision': round(evaluated.ap(label=k), 4) for k, name in enumerate(names)
        }
        wanted = values if items is None else {i: values[i] for i in items if i in values}
        figures = {f'bbox_{k}': round(v, 4) for k, v in wanted.items() if not math.isnan(v)}
        return {**metrics, **figures}


def _recall(numbers: Sequence[int]) -> dict[str, Figure]:
    return {f'AR@{n}': Figure(max_dets=n, recall=True) for n in numbers}


def _soda_truth(annotations: Sequence[dict]) -> list[dict]:
    """Regions of its category ``ignore`` are of no class, and are not looked at."""
    marks = ('iscrowd', 'ignore')
    return uncounted(without_classless(annotations, marks), marks)


_USUAL = {'mAP': 'mAP', 'mAP_50': 'AP50', 'mAP_75': 'AP75'}
_AITOD = {'vt': 'verytiny', 't': 'tiny', 's': 'small', 'm': 'medium'}
_SODA = ('eS', 'rS', 'gS', 'Normal')
_TINY = ('tiny', 'tiny1', 'tiny2', 'tiny3', 'small', 'reasonable')

PRESETS = {
    'visdrone': Preset(
        'VisDrone-DET',
        'VisDrone2018-DET-toolkit, 2019',
        max_dets=(1, 10, 100, 500),
        sizes={},
        main=('all', None),
        figures=_recall((1, 10, 100, 500)),
        columns=_USUAL,
        marks=('iscrowd', 'ignore'),
        regions=True,
    ),
    'aitod': Preset(
        'AI-TOD',
        'cocoapi-aitod, 2021',
        max_dets=(1, 100, 1500),
        sizes={
            'aitod verytiny': (0.0, 8.0**2),
            'aitod tiny': (8.0**2, 16.0**2),
            'aitod small': (16.0**2, 32.0**2),
            'aitod medium': (32.0**2, NO_LIMIT),
        },
        main=('all', 1500),
        figures={
            **{f'mAP_{key}': Figure(area=f'aitod {size}') for key, size in _AITOD.items()},
            **_recall((1, 100, 1500)),
        },
        columns={**_USUAL, **{f'mAP_{key}': f'AP {key}' for key in _AITOD}},
    ),
    'soda': Preset(
        'SODA-D',
        'SODA-mmdetection, 2023',
        max_dets=(100, 300, 1000),
        sizes={
            'soda Small': (0.0, 32.0**2),
            'soda eS': (0.0, 12.0**2),
            'soda rS': (12.0**2, 20.0**2),
            'soda gS': (20.0**2, 32.0**2),
            'soda Normal': (32.0**2, 40.0 * 50.0),
        },
        main=('soda Small', 100),
        figures={
            **{f'mAP_{size}': Figure(area=f'soda {size}') for size in _SODA},
            **_recall((100, 300, 1000)),
        },
        columns={**_USUAL, **{f'mAP_{size}': f'AP {size}' for size in _SODA}},
        marks=('iscrowd', 'ignore'),
        truth=_soda_truth,
    ),
    'tinyperson': Preset(
        'TinyPerson',
        'TinyBenchmark, 2020',
        max_dets=(200,),
        sizes={
            'tinyperson all': (1.0, NO_LIMIT),
            'tinyperson tiny': (1.0, 20.0**2),
            'tinyperson tiny1': (1.0, 8.0**2),
            'tinyperson tiny2': (8.0**2, 12.0**2),
            'tinyperson tiny3': (12.0**2, 20.0**2),
            'tinyperson small': (20.0**2, 32.0**2),
            'tinyperson reasonable': (32.0**2, NO_LIMIT),
        },
        main=('tinyperson all', 200),
        figures={
            'mAP_25': Figure(0.25),
            **{
                f'mAP_{round(100 * iou)}_{size}': Figure(iou, f'tinyperson {size}')
                for iou in (0.5, 0.25, 0.75)
                for size in _TINY
            },
        },
        columns={
            **{f'mAP_50_{size}': f'AP50 {size}' for size in _TINY[:5]},
            'mAP_25_tiny': 'AP25 tiny',
            'mAP_75_tiny': 'AP75 tiny',
        },
        thresholds=(0.25, 0.5, 0.75),
        marks=TINYPERSON_MARKS,
        truth=tinyperson_truth,
        kind=ExcusedInRegions,
    ),
}
"""Evaluations by name of the protocol."""
