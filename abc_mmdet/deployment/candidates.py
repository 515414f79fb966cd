"""Which detections a head lets through to the suppression."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional

from abc_mmdet.deployment.decoding import Decoded
from abc_mmdet.errors import UserError
from mmdet.models.dense_heads import YOLOXHead


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
