"""Evaluation of COCO records under several protocols, and of subsets of the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from abc_mmdet.errors import UserError

from .average_precision import CocoMetrics, coco_metrics
from .cut_detections import cut_records
from .matching import AREAS
from .metric_names import named_metrics, rounded
from .prophesee_protocol import PropheseeProtocol

PROTOCOLS = ('coco', 'prophesee')


@dataclass(frozen=True)
class Protocols:
    """How boxes are evaluated, and which metrics there shall be.

    Args:
        protocols: some of :data:`PROTOCOLS`; the first has the plain names, ``coco`` if it is one.
        prophesee: limits of the second.
        subsets: names of fields of annotations: evaluate again with only those boxes that have a
            true value there, the others count neither way.
        classes: names, in the order of the labels.
        small: labels of the small classes.
        thresholds: IoU thresholds.
        max_dets: detections per image and class that are looked at. COCO's own mAP looks at the
            smallest number, its other metrics at the largest.
        classwise: whether there is ``NAME_precision`` of every class.
        items: which of ``bbox_*`` there shall be, without this prefix; None: all but recall.
    """

    protocols: tuple[str, ...]
    prophesee: PropheseeProtocol
    subsets: tuple[str, ...]
    classes: Sequence[str]
    small: Sequence[int]
    thresholds: np.ndarray
    max_dets: Sequence[int]
    classwise: bool = True
    items: Sequence[str] | None = None

    @property
    def main(self) -> str:
        """The one whose metrics have plain names."""
        return 'coco' if 'coco' in self.protocols else self.protocols[0]

    def evaluate(
        self,
        images: Sequence[dict],
        annotations: Sequence[dict],
        detections: Sequence[dict],
        category_ids: Sequence[int | str],
    ) -> tuple[dict[str, float], dict[str, CocoMetrics]]:
        """Evaluate under all protocols.

        Args:
            images: ``id``, ``width``, ``height`` and, of recordings, ``timestamp_us``.
            annotations, detections: as in :func:`coco_metrics`; annotations with the names of
                subsets.
            category_ids: in the order of the classes.

        Returns:
            Metrics by name, without prefix, and all of them by protocol.

        Raises:
            UserError: no ground truth at all.
        """
        if not any(a['category_id'] in category_ids for a in annotations):
            raise UserError(
                'There is no ground truth to evaluate against: no box of any of the classes '
                f'{list(self.classes)} in {len(images)} images.'
            )
        metrics: dict[str, float] = {}
        by_protocol = {}
        first = min(self.max_dets)
        for protocol in self.protocols:
            suffix = '' if protocol == self.main else '_prophesee'
            seen, ground_truth = images, annotations
            if protocol == 'prophesee':
                seen, ground_truth = self.prophesee.ground_truth(images, annotations, category_ids)
                counted = self.prophesee.boxes(detections, seen)
            else:
                counted = cut_records(detections, images)
            evaluated = self._coco(seen, category_ids, ground_truth, counted)
            by_protocol[protocol] = evaluated
            named = self.classes if self.classwise else ()
            plain = named_metrics(evaluated, named, self.small, first, self.items)
            metrics.update({f'{k}{suffix}': v for k, v in plain.items()})
            for subset in self.subsets:
                others_ignored = [
                    dict(a, iscrowd=int(bool(a.get('iscrowd')) or not a.get(subset)))
                    for a in ground_truth
                ]
                only = self._coco(seen, category_ids, others_ignored, counted, ('all',))
                metrics[f'bbox_mAP_{subset}{suffix}'] = rounded(only.ap(max_dets=first))
                metrics[f'bbox_mAP_50_{subset}{suffix}'] = rounded(only.ap(0.5))
        return metrics, by_protocol

    def _coco(
        self,
        images: Sequence[dict],
        category_ids: Sequence[int | str],
        annotations: Sequence[dict],
        detections: Sequence[dict],
        areas: Sequence[str] = tuple(AREAS),
    ) -> CocoMetrics:
        ids = [image['id'] for image in images]
        return coco_metrics(
            ids, category_ids, annotations, detections, self.thresholds, self.max_dets, areas
        )
