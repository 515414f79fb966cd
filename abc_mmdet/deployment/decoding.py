"""What a head says about every place of the pyramid, and which of it may become detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional

from abc_mmdet.errors import UserError
from mmdet.models.dense_heads import GFLHead, YOLOXHead
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead

Levels = Sequence[Tensor]


def is_decodable(head: BaseModule) -> bool:
    """Whether :func:`decode` knows how this head is decoded."""
    kind = type(head)
    if isinstance(head, (YOLOXHead, GFLHead)):
        base = YOLOXHead if isinstance(head, YOLOXHead) else GFLHead
        return (
            kind.predict_by_feat is base.predict_by_feat
            and kind._predict_by_feat_single is base._predict_by_feat_single
        )
    return (
        isinstance(head, BaseDenseHead)
        and kind.predict_by_feat is BaseDenseHead.predict_by_feat
        and kind._predict_by_feat_single is BaseDenseHead._predict_by_feat_single
        and getattr(head, 'use_sigmoid_cls', False)
    )


class Decoded(NamedTuple):
    """What a head says about all places, in float32.

    Attributes:
        boxes: xyxy ``(B, N, 4)`` in pixels of the input.
        levels: scores of the classes ``(B, N_l, C)`` per level, by which heads choose candidates.
        factors: ``(B, N)`` that detections' scores are multiplied by, such as centerness; None if
            there are none.
    """

    boxes: Tensor
    levels: list[Tensor]
    factors: Tensor | None

    @property
    def scores(self) -> Tensor:
        """``(B, N, C)``, as detections have them."""
        scores = torch.cat(self.levels, dim=1)
        return scores if self.factors is None else scores * self.factors[..., None]


def clips(head: BaseModule) -> bool:
    """Whether a head cuts boxes at the border of their image."""
    return not isinstance(head, YOLOXHead) and getattr(head.bbox_coder, 'clip_border', False)


def decode(head: BaseModule, outputs: Sequence[Levels], image_sizes: Tensor | None) -> Decoded:
    """Boxes and scores of all priors, as in the head's ``predict_by_feat``.

    Args:
        head: YOLOX's head, GFL's, or one that :class:`BaseDenseHead` decodes, with sigmoid scores
            (ATSS, RTMDet, RetinaNet, FCOS).
        outputs: of its ``forward``: per kind of output ``(B, A, H_l, W_l)`` per level.
        image_sizes: ``(B, 2)`` height and width of each image without its padding, to which heads
            cut boxes that :func:`clips`; not needed for others.

    Raises:
        UserError: another head.
    """
    if not is_decodable(head):
        raise UserError(
            f'{type(head).__name__} cannot be exported: known are the heads of YOLOX and GFL, and '
            'those that decode as BaseDenseHead does, with sigmoid scores (ATSS, RTMDet, FCOS, '
            'RetinaNet).'
        )
    outputs = [[level.float() for level in levels] for levels in outputs]
    sizes = [tuple(level.shape[-2:]) for level in outputs[0]]
    where = dict(dtype=torch.float32, device=outputs[0][0].device)
    levels = [_flat([level], head.cls_out_channels).sigmoid() for level in outputs[0]]
    if isinstance(head, YOLOXHead):
        priors = torch.cat(head.prior_generator.grid_priors(sizes, with_stride=True, **where))
        boxes = head._bbox_decode(priors, _flat(outputs[1], 4))
        return Decoded(boxes, levels, _flat(outputs[2], 1).sigmoid()[..., 0])
    factors = None
    anchors = head.prior_generator.grid_priors(sizes, **where)
    if isinstance(head, GFLHead):
        distances = [
            head.integral(_flat([level], 4 * (head.reg_max + 1))).reshape(level.shape[0], -1, 4)
            * stride[0]
            for level, stride in zip(outputs[1], head.prior_generator.strides, strict=True)
        ]
        regression, priors = torch.cat(distances, dim=1), head.anchor_center(torch.cat(anchors))
    else:
        regression, priors = _flat(outputs[1], head.bbox_coder.encode_size), torch.cat(anchors)
        if len(outputs) > 2:
            factors = _flat(outputs[2], 1).sigmoid()[..., 0]
    clip = clips(head)
    head.bbox_coder.clip_border = False  # its own way to clip is none for symbolic sizes
    try:
        boxes = head.bbox_coder.decode(
            priors.expand(regression.shape[0], *priors.shape), regression
        )
    finally:
        head.bbox_coder.clip_border = clip
    if clip and image_sizes is not None:
        limits = image_sizes[:, None].flip(-1).to(boxes)  # (B, 1, 2): width and height
        corners = [torch.minimum(boxes[..., i : i + 2].clamp(min=0), limits) for i in (0, 2)]
        boxes = torch.cat(corners, dim=-1)
    return Decoded(boxes, levels, factors)


def _flat(levels: Levels, channels: int) -> Tensor:
    """``(B, A * channels, H_l, W_l)`` per level as ``(B, N, channels)``."""
    # not len(level), which would fix the batch of an exported graph
    return torch.cat(
        [level.permute(0, 2, 3, 1).reshape(level.shape[0], -1, channels) for level in levels], dim=1
    )


@dataclass(frozen=True)
class Candidates:
    """The selection of a head's ``predict_by_feat``, in operations that ONNX has.

    Attributes:
        score_thr: classes with a lower score are left out; in YOLOX it is the score of the
            detection, elsewhere that of the class.
        per_level: the best of each level that stay (``nms_pre``); 0: all.
        best_class_only: a place of the pyramid detects the best of its classes alone, as in YOLOX.
        not_empty: boxes without width or height are left out.
    """

    score_thr: float
    per_level: int = 0
    best_class_only: bool = False
    not_empty: bool = False

    @classmethod
    def of(cls, head: BaseModule) -> Candidates:
        """As a head is configured.

        Raises:
            UserError: a ``min_bbox_size`` above 0, which is measured in pixels of the image file.
        """
        cfg = head.test_cfg or {}
        score_thr = float(cfg.get('score_thr', 0))
        if isinstance(head, YOLOXHead):
            return cls(score_thr, best_class_only=True)
        least = cfg.get('min_bbox_size', -1)
        if least > 0:
            raise UserError(
                f'model.test_cfg.min_bbox_size={least} cannot be exported: it is counted in pixels '
                'of the image file, which the network does not know. Set it to 0.'
            )
        return cls(score_thr, max(0, cfg.get('nms_pre', -1)), not_empty=least == 0)

    def __call__(self, decoded: Decoded) -> Tensor:
        """Scores ``(B, N, C)`` of the candidates, 0 of everything else."""
        if self.best_class_only:
            scores = decoded.scores
            best = scores.argmax(dim=-1, keepdim=True)
            best_scores = scores.gather(-1, best)
            chosen = torch.where(best_scores >= self.score_thr, best_scores, 0)
            return torch.zeros_like(scores).scatter(-1, best, chosen)
        scores = torch.cat([self._of_level(level) for level in decoded.levels], dim=1)
        if decoded.factors is not None:
            scores = scores * decoded.factors[..., None]
        if self.not_empty:
            sides = decoded.boxes[..., 2:] - decoded.boxes[..., :2]
            scores = torch.where((sides > 0).all(dim=-1, keepdim=True), scores, 0)
        return scores

    def _of_level(self, scores: Tensor) -> Tensor:
        scores = torch.where(scores > self.score_thr, scores, 0)
        if not self.per_level:
            return scores
        flat = scores.flatten(1)
        # Never fewer than are wanted, of whatever size the level is in the graph
        padded = functional.pad(flat, (0, self.per_level), value=-1.0)
        best, places = padded.topk(self.per_level, dim=1)
        kept = torch.zeros_like(padded).scatter(1, places, best)
        return kept[:, : flat.shape[1]].reshape(scores.shape)
