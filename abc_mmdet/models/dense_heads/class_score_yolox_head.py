"""YOLOX's head whose detections are ranked by their class score, for RVT's published figures."""

from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet.models.dense_heads import YOLOXHead
from mmdet.registry import MODELS


@MODELS.register_module()
class ClassScoreYOLOXHead(YOLOXHead):
    """A :class:`YOLOXHead` that reports the class score of a detection, without its objectness.

    RVT (Gehrig and Scaramuzza, CVPR 2023) selects and suppresses detections by objectness times
    class score, as YOLOX does, but hands the class score alone to the evaluation. Its published
    figures are those of this order, so a comparison with them needs it too; for anything else
    :class:`YOLOXHead` is right. Training and weights are the same.

    It takes the arguments of :class:`YOLOXHead`. ``test_cfg.score_thr`` and the suppression apply
    to objectness times class score.

    Example::

        model = dict(bbox_head=dict(type='ClassScoreYOLOXHead'))  # configs/rvt_evaluation.py
    """

    def predict_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        objectnesses: list[Tensor],
        batch_img_metas: list[dict],
        cfg: ConfigDict | None = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> list[InstanceData]:
        """As in :class:`YOLOXHead`, with other ``scores``."""
        cfg = self.test_cfg if cfg is None else cfg
        outputs: tuple[Any, ...] = (cls_scores, bbox_preds, objectnesses, batch_img_metas, cfg)
        candidates = super().predict_by_feat(*outputs, rescale=rescale, with_nms=False)
        classes = torch.cat([level.flatten(2) for level in cls_scores], 2).sigmoid().amax(1)
        objects = torch.cat([level.flatten(2) for level in objectnesses], 2).sigmoid()[:, 0]
        detections = []
        for i, found in enumerate(candidates):
            found.class_scores = classes[i][objects[i] * classes[i] >= cfg.score_thr]
            # the boxes are in pixels of the image by now
            found = self._bbox_post_process(found, cfg, False, with_nms, batch_img_metas[i])
            found.scores = found.pop('class_scores')
            detections.append(found)
        return detections
