"""Non-maximum suppression: of detections that overlap the best one stays as it is."""

from torch import Tensor

from .matching import greedy_keepers, matching_pairs


def merge_nms(
    boxes: Tensor, scores: Tensor, labels: Tensor, _: Tensor, threshold: float, metric: str
) -> tuple[Tensor, Tensor, Tensor]:
    """As :class:`~abc_mmdet.models.merging.MergeDetections`; the fourth argument is not used."""
    order = scores.argsort(descending=True, stable=True)
    pairs = matching_pairs(boxes[order], labels[order], threshold, metric)
    keepers = greedy_keepers(pairs, len(boxes))
    kept = order[keepers.unique()]
    return kept, boxes[kept], scores[kept]
