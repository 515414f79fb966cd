"""Evaluation of COCO records under several protocols, and of subsets of the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from abc_mmdet.errors import UserError

from .average_precision import CocoMetrics, coco_metrics
from .cut_detections import cut_records
from .matching import AREAS
from .presets import PRESETS
from .reported_metrics import main_protocol, named_metrics, rounded


@dataclass(frozen=True)
class PropheseeProtocol:
    """Leaves out small boxes, of ground truth and detections, early frames, and empty ones.

    The protocol of Prophesee's data sets (Perot et al., 2020), as RVT uses it. A frame in which no
    box of the ground truth is left is not evaluated: what is detected there is no mistake. So do
    Prophesee's toolkit and RVT, which look at the times of the boxes left.

    Args:
        min_side: least side, pixels; None: 20, or 10 in frames of up to 640 pixels' width (Gen1,
            half resolution).
        min_diagonal: least diagonal, pixels; None: 60 or 30.
        skip_us: frames up to this time of a recording are left out.
    """

    min_side: float | None = None
    min_diagonal: float | None = None
    skip_us: int = 500_000

    def ground_truth(
        self, images: Sequence[dict], annotations: Sequence[dict], category_ids: Sequence[int | str]
    ) -> tuple[list[dict], list[dict]]:
        """The images that count, and the annotations in them that do.

        Args:
            images: COCO records with ``timestamp_us``.
            annotations: of these.
            category_ids: of the classes that are evaluated. Boxes of others, and crowds, leave no
                frame to evaluate.

        Raises:
            UserError: an image without ``timestamp_us``.
        """
        late = self._late(images)
        boxes = self.boxes(annotations, late)
        wanted = set(category_ids)
        counted = {
            box['image_id']
            for box in boxes
            if box['category_id'] in wanted and not box.get('iscrowd')
        }
        left = [image for image in late if image['id'] in counted]
        return left, [box for box in boxes if box['image_id'] in counted]

    def _late(self, images: Sequence[dict]) -> list[dict]:
        untimed = [image['id'] for image in images if image.get('timestamp_us') is None]
        if untimed:
            raise UserError(
                f"SmallObjectMetric protocol='prophesee' leaves out the first "
                f'{self.skip_us / 1e6} s of each recording, but image {untimed[0]} has no '
                "timestamp_us. Use protocol='coco' for data that is no recording."
            )
        return [image for image in images if image['timestamp_us'] > self.skip_us]

    def boxes(self, boxes: Sequence[dict], images: Sequence[dict]) -> list[dict]:
        """Annotations or detections in these images that are large enough."""
        width = {image['id']: image['width'] for image in images}
        kept = []
        for box in boxes:
            if box['image_id'] not in width:
                continue
            large = width[box['image_id']] > 640
            side = self.min_side if self.min_side is not None else (20 if large else 10)
            diagonal = self.min_diagonal
            diagonal = diagonal if diagonal is not None else (60 if large else 30)
            w, h = box['bbox'][2:]
            if min(w, h) >= side and w**2 + h**2 >= diagonal**2:
                kept.append(box)
        return kept


PROTOCOLS = ('coco', 'prophesee', *PRESETS)


class Counted(NamedTuple):
    """COCO records that a protocol looks at."""

    images: Sequence[dict]
    annotations: Sequence[dict]
    detections: Sequence[dict]


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
        thresholds: IoU thresholds; of COCO and Prophesee, presets have their own.
        max_dets: detections per image and class that are looked at. COCO's own mAP looks at the
            smallest number, its other metrics at the largest. Presets have their own.
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
        return main_protocol(self.protocols)

    def counted(
        self,
        protocol: str,
        images: Sequence[dict],
        annotations: Sequence[dict],
        detections: Sequence[dict],
        category_ids: Sequence[int | str],
    ) -> Counted:
        """What a protocol counts: COCO's cuts detections at the border of their image.

        Prophesee's takes detections as they are, and leaves out small boxes and some images. Those
        of data sets take them as they are, too, and know ignored regions.

        Args:
            protocol: one of :data:`PROTOCOLS`.
            images, annotations, detections, category_ids: as in :meth:`evaluate`.
        """
        if protocol == 'prophesee':
            images, annotations = self.prophesee.ground_truth(images, annotations, category_ids)
            return Counted(images, annotations, self.prophesee.boxes(detections, images))
        if protocol in PRESETS:
            return Counted(images, *PRESETS[protocol].selected(images, annotations, detections))
        return Counted(images, annotations, cut_records(detections, images))

    def evaluate(
        self,
        images: Sequence[dict],
        annotations: Sequence[dict],
        detections: Sequence[dict],
        category_ids: Sequence[int | str],
        keep: Sequence[str] = (),
    ) -> tuple[dict[str, float], dict[str, CocoMetrics]]:
        """Evaluate under all protocols.

        Args:
            images: ``id``, ``width``, ``height`` and, of recordings, ``timestamp_us``.
            annotations, detections: as in :func:`coco_metrics`; annotations with the names of
                subsets.
            category_ids: in the order of the classes.
            keep: areas whose matches are kept, as in :func:`coco_metrics`.

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
            preset = PRESETS.get(protocol)
            counted = self.counted(protocol, images, annotations, detections, category_ids)
            evaluated = self._evaluate(protocol, counted, category_ids, keep=keep)
            by_protocol[protocol] = evaluated
            named = self.classes if self.classwise else ()
            if preset is not None:
                plain = preset.named(evaluated, named, self.small, self.items)
            else:
                plain = named_metrics(evaluated, named, self.small, first, self.items)
            suffix = '' if protocol == self.main else f'_{protocol}'
            metrics.update({f'{k}{suffix}': v for k, v in plain.items()})
            for subset in self.subsets:
                others_ignored = [
                    dict(a, iscrowd=int(bool(a.get('iscrowd')) or not a.get(subset)))
                    for a in counted.annotations
                ]
                of_subset = counted._replace(annotations=others_ignored)
                only = self._evaluate(protocol, of_subset, category_ids, ('all',))
                ap = only.ap(max_dets=None if preset else first)
                metrics[f'bbox_mAP_{subset}{suffix}'] = rounded(ap)
                metrics[f'bbox_mAP_50_{subset}{suffix}'] = rounded(only.ap(0.5))
        return metrics, by_protocol

    def _evaluate(
        self,
        protocol: str,
        counted: Counted,
        category_ids: Sequence[int | str],
        areas: Sequence[str] = tuple(AREAS),
        keep: Sequence[str] = (),
    ) -> CocoMetrics:
        ids = [image['id'] for image in counted.images]
        boxes = ids, category_ids, counted.annotations, counted.detections
        if protocol in PRESETS:
            return PRESETS[protocol].evaluate(*boxes, keep)
        return coco_metrics(*boxes, self.thresholds, self.max_dets, areas, keep)
