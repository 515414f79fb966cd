"""Non-maximum suppression, as part of an ONNX graph and beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from mmcv.ops import batched_nms
from mmengine.model import BaseModule
from torch import Tensor

from abc_mmdet.errors import UserError
from mmdet.models.dense_heads import YOLOXHead

if TYPE_CHECKING:
    import onnx

# Overlap is that of corners in either order, so that xyxy may stand for the yxyx of the operator.
# Only names of inputs and outputs may also occur in the graph before it.
_GRAPH = """
<ir_version: 8, opset_import: ["" : 18]>
suppression (float[B, N, 4] all_boxes, float[B, N, C] all_scores)
    => (float[B, K, 4] boxes, float[B, K] scores, int64[B, K] labels)
<float[1] nms_iou_threshold = {IOU_THRESHOLD}, float[1] nms_none = {0.0},
 int64[1] nms_most = {MAX_PER_IMAGE}, int64[1] nms_one = {1}, int64[1] nms_last = {-1},
 int64[2] nms_rows = {0, -1}>
{
    nms_by_class = Transpose<perm = [0, 2, 1]>(all_scores)
    CANDIDATES
    nms_kept = NonMaxSuppression(
        all_boxes, nms_candidates, nms_most, nms_iou_threshold, nms_none)
    nms_kept_scores = GatherND(nms_candidates, nms_kept)
    nms_shape = Shape(nms_candidates)
    nms_nothing = ConstantOfShape(nms_shape)
    nms_left = ScatterND(nms_nothing, nms_kept, nms_kept_scores)
    nms_flat = Reshape(nms_left, nms_rows)
    nms_is_found = Greater(nms_flat, nms_none)
    nms_counted = Cast<to = 7>(nms_is_found)
    nms_counts = ReduceSum<keepdims = 0>(nms_counted, nms_one)
    nms_longest = ReduceMax<keepdims = 1>(nms_counts)
    nms_wanted = Min(nms_most, nms_longest)
    nms_number = Max(nms_one, nms_wanted)
    scores, nms_places = TopK<axis = 1>(nms_flat, nms_number)
    nms_priors_of_class = Shape<start = 1, end = 2>(all_boxes)
    nms_priors = Mod(nms_places, nms_priors_of_class)
    LABELS
    nms_at = Unsqueeze(nms_priors, nms_last)
    boxes = GatherND<batch_dims = 1>(all_boxes, nms_at)
}
"""
_BY_CLASS = {
    'CANDIDATES': 'nms_candidates = Identity(nms_by_class)',
    'LABELS': 'labels = Div(nms_places, nms_priors_of_class)',
}
_OVER_CLASSES = {
    'CANDIDATES': 'nms_candidates = ReduceMax<keepdims = 1>(nms_by_class, nms_one)',
    'LABELS': 'nms_best = ArgMax<axis = 2, keepdims = 0>(all_scores)\n'
    '    labels = GatherElements<axis = 1>(nms_best, nms_priors)',
}


NO_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class Suppression:
    """How many candidates are made few, as a head's ``test_cfg`` says it.

    Attributes:
        iou_threshold: a box that overlaps a better one by more is left out ...
        class_agnostic: ... if it is of the same class, or always.
        max_per_image: the best that stay; :data:`NO_LIMIT`: all.
    """

    iou_threshold: float
    class_agnostic: bool
    max_per_image: int

    @classmethod
    def of(cls, head: BaseModule) -> Suppression:
        """As a head is configured.

        Raises:
            UserError: another kind of suppression.
        """
        test_cfg = head.test_cfg or {}
        nms = dict(test_cfg.get('nms') or {})
        if nms.get('type', 'nms') != 'nms' or 'iou_threshold' not in nms:
            raise UserError(
                f'model.test_cfg.nms={nms} cannot be exported; use '
                "dict(type='nms', iou_threshold=...)."
            )
        limits = [nms.get('max_num', -1)]
        if not isinstance(head, YOLOXHead):  # which does not read it
            limits.append(test_cfg.get('max_per_img', -1))
        return cls(
            iou_threshold=float(nms['iou_threshold']),
            class_agnostic=bool(nms.get('class_agnostic', False)),
            max_per_image=min((limit for limit in limits if limit > 0), default=NO_LIMIT),
        )

    def __call__(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Detections of one image.

        Args:
            boxes: ``(N, 4)``, xyxy.
            scores: ``(N, C)``; 0 of what is no candidate.

        Returns:
            Boxes ``(K, 4)``, scores and labels ``(K,)``, best first.
        """
        priors, labels = torch.nonzero(scores > 0, as_tuple=True)
        boxes, scores = boxes[priors], scores[priors, labels]
        if not len(boxes):
            return boxes, scores, labels
        nms = dict(type='nms', iou_threshold=self.iou_threshold, class_agnostic=self.class_agnostic)
        kept = batched_nms(boxes, scores, labels, nms)[1][: self.max_per_image]
        return boxes[kept], scores[kept], labels[kept]

    def append_to(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """The model with this suppression behind its outputs ``all_boxes`` and ``all_scores``.

        They are replaced by ``boxes`` ``(B, K, 4)``, ``scores`` ``(B, K)`` and ``labels``
        ``(B, K)``, best first. ``K`` is the most that an image of the batch has, at least 1: where
        one has fewer detections, its last scores are 0.
        """
        import onnx.compose
        import onnx.parser

        text = _GRAPH
        for name, value in {
            'IOU_THRESHOLD': str(self.iou_threshold),
            'MAX_PER_IMAGE': str(self.max_per_image),
            **(_OVER_CLASSES if self.class_agnostic else _BY_CLASS),
        }.items():
            text = text.replace(name, value)
        graph = onnx.parser.parse_model(text)
        graph.ir_version = model.ir_version
        del graph.opset_import[:]
        graph.opset_import.extend(model.opset_import)
        names = [output.name for output in model.graph.output][2:]
        names = ['boxes', 'scores', 'labels', *names]
        joined = onnx.compose.merge_models(
            model,
            graph,
            io_map=[('all_boxes', 'all_boxes'), ('all_scores', 'all_scores')],
            outputs=names,
        )
        # Both parts bring theirs, and ONNX Runtime's quantiser wants each domain once
        imported = {'' if i.domain == 'ai.onnx' else i.domain: i for i in joined.opset_import}
        del joined.opset_import[:]
        joined.opset_import.extend(imported.values())
        outputs = {output.name: output for output in joined.graph.output}
        del joined.graph.output[:]  # those of the first part come first
        joined.graph.output.extend(outputs[name] for name in names)
        return joined
