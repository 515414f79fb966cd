"""COCO's measures and the mean over the small classes."""

import math
from collections.abc import Sequence

from abc_mmdet.models.small_classes import SmallClasses, checked_names
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS


@METRICS.register_module()
class SmallObjectMetric(CocoMetric):
    """:class:`CocoMetric` per class, and ``bbox_mAP_small_classes``: the mean AP of some classes.

    A class without ground truth in the evaluated set has no AP (``nan``) and is left out of the
    mean.

    Args:
        small_classes: names of the classes to average.
        **kwargs: as in :class:`CocoMetric`; ``classwise`` is always on.

    Raises:
        UserError: a small class that the data set does not have, when the two first meet.
    """

    def __init__(self, small_classes: Sequence[str], **kwargs: object) -> None:
        super().__init__(classwise=True, **kwargs)
        self.small_classes = checked_names(small_classes, 'small_classes')

    @property
    def dataset_meta(self) -> dict | None:
        """Meta information of the evaluated data set; MMEngine sets it before an evaluation."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        SmallClasses(dataset_meta['classes'], self.small_classes)
        self._dataset_meta = dataset_meta

    def compute_metrics(self, results: list) -> dict[str, float]:
        metrics = super().compute_metrics(results)
        if not metrics and not self.format_only:
            # CocoMetric gives up where nothing at all was detected; that is an AP of 0
            return {'bbox_mAP': 0.0, 'bbox_mAP_50': 0.0, 'bbox_mAP_small_classes': 0.0}
        aps = [metrics.get(f'{name}_precision', math.nan) for name in self.small_classes]
        present = [ap for ap in aps if not math.isnan(ap)]
        if present:
            metrics['bbox_mAP_small_classes'] = round(sum(present) / len(present), 4)
        return metrics
