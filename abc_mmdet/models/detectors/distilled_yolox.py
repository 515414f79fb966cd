"""A YOLOX that also learns from the same network fine-tuned on larger images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from torch import Tensor

from abc_mmdet.checkpoints.fit import Target, load_fitting
from abc_mmdet.errors import UserError
from abc_mmdet.models.dense_heads.abc_head import head_strides
from mmdet.models.dense_heads import YOLOXHead
from mmdet.models.detectors import YOLOX
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox_overlaps
from mmdet.utils import ConfigType


@MODELS.register_module()
class DistilledYOLOX(YOLOX):
    """YOLOX with a teacher that sees the image twice as large; in training only.

    On an input twice as large, strides 16 and 32 of the teacher have the grids of strides 8 and 16
    of the student, so that each of the student's places has one in the teacher, which saw the
    object there with four times the pixels. Losses are taken as in CrossKD (Wang et al., CVPR
    2024): what the first layers of the student's towers say goes through the teacher's frozen last
    ones, and that prediction is compared with the teacher's own, so that imitation and ground truth
    do not pull at the same output. Scores, class times objectness, by quality focal loss; boxes by
    IoU, weighted by the teacher's score.

    Testing, export and checkpoints know nothing of the teacher: it is built for training alone.

    Args:
        *args, **kwargs: as of ``YOLOX``; the student's main head has the teacher's channels.
        teacher: ``config``, a config file, and ``checkpoint``, its weights after fine-tuning; None
            trains without.
        scale: how many times larger its input is, a power of two.
        cls_weight, box_weight: of the two losses.

    Raises:
        UserError: files that are missing, or a teacher of other strides or channels.

    Examples:
        >>> model = dict(
        ...     type='DistilledYOLOX', scale=2,
        ...     teacher=dict(config='finetuned.py', checkpoint='finetuned.pth'))
    """

    def __init__(
        self,
        *args: Any,
        teacher: ConfigType | None = None,
        scale: int = 2,
        cls_weight: float = 1.0,
        box_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.teacher_config = teacher
        self.scale = scale
        self.cls_weight = cls_weight
        self.box_weight = box_weight
        # In a tuple, so that its weights are none of this model's
        self._teacher: tuple[Any, ...] = ()

    def init_weights(self) -> None:
        """Initial weights of the student, and the teacher for training."""
        super().init_weights()
        if self.teacher_config is not None and not self._teacher:
            teacher = build_teacher(**self.teacher_config)
            shifted = [self.scale * stride for stride in strides(self)]
            if not set(shifted) & set(strides(teacher)):
                raise UserError(
                    f'DistilledYOLOX: at scale {self.scale} no level of the teacher, strides '
                    f'{strides(teacher)}, has the grid of a level of the student, {strides(self)}.'
                )
            self._teacher = (teacher,)

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Losses of the head, and ``loss_kd_cls`` and ``loss_kd_bbox``."""
        x = self.extract_feat(batch_inputs)
        if not self._teacher:
            return self.bbox_head.loss(x, batch_data_samples)
        (teacher,) = self._teacher
        teacher.to(batch_inputs.device)
        head: Any = getattr(self.bbox_head, 'main_head', self.bbox_head)
        pairs = [
            (level, strides(teacher).index(self.scale * stride))
            for level, stride in enumerate(head.strides)
            if self.scale * stride in strides(teacher)
        ]
        with _FirstLayers(head, [level for level, _ in pairs]) as first:
            losses = self.bbox_head.loss(x, batch_data_samples)
        with torch.no_grad():
            larger = F.interpolate(
                batch_inputs, scale_factor=self.scale, mode='bilinear', align_corners=False
            )
            features = teacher.extract_feat(larger)
        kd = [
            distillation_losses(teacher.bbox_head, index, features[index], *first.outputs[level])
            for level, index in pairs
        ]
        positives = sum(weight for _, _, weight in kd).clamp(min=1.0)  # type: ignore[union-attr]
        losses['loss_kd_cls'] = self.cls_weight * sum(cls for cls, _, _ in kd) / positives
        losses['loss_kd_bbox'] = self.box_weight * sum(box for _, box, _ in kd) / positives
        return losses


def build_teacher(config: str, checkpoint: str | None) -> Any:
    """The teacher with its weights, frozen, batch norms folded into the convolutions.

    Raises:
        UserError: no such config or checkpoint, or one that is not the other's.
    """
    for field, path in (('config', config), ('checkpoint', checkpoint)):
        if path is not None and '://' not in path and not Path(path).is_file():
            raise UserError(
                f'model.teacher.{field}: there is no file {path}. Fine-tune the teacher first: '
                f'python tools/train.py {config}'
            )
    teacher = MODELS.build(Config.fromfile(config).model)
    if checkpoint is not None:
        loaded = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
        load_fitting(loaded, Target(teacher, config), f'model.teacher.checkpoint: {checkpoint}')
    teacher = fuse_conv_bn(teacher).eval()
    return teacher.requires_grad_(False).to(memory_format=torch.channels_last)


def strides(detector: Any) -> list[int]:
    """Strides of the main head's levels."""
    return head_strides(detector.bbox_head)


class _FirstLayers:
    """Keeps what the first layers of a head's towers give while it lasts.

    Attributes:
        outputs: per level, of the class and of the box tower.
    """

    def __init__(self, head: YOLOXHead, levels: list[int]) -> None:
        self.outputs: dict[int, list[Tensor]] = {level: [] for level in levels}
        self._towers = [
            (level, tower[0])
            for level in levels
            for tower in (head.multi_level_cls_convs[level], head.multi_level_reg_convs[level])
        ]

    def __enter__(self) -> _FirstLayers:
        def keep(level: int) -> Any:
            return lambda module, inputs, output: self.outputs[level].append(output)

        self._handles = [layer.register_forward_hook(keep(n)) for n, layer in self._towers]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()


def distillation_losses(
    head: YOLOXHead, level: int, feature: Tensor, cls_feature: Tensor, reg_feature: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of the losses of one level, and of the teacher's scores.

    Args:
        head: of the teacher, a ``YOLOXHead``.
        level: of the teacher.
        feature: ``(B, C, H, W)``, what its pyramid says there.
        cls_feature, reg_feature: ``(B, C, H, W)``, of the first layers of the student's towers.

    Returns:
        Quality focal loss of the scores, IoU loss of the boxes, sum of the teacher's scores.
    """
    with torch.no_grad():
        target, target_box = _predict(
            head,
            level,
            head.multi_level_cls_convs[level](feature),
            head.multi_level_reg_convs[level](feature),
        )
        weight = target.amax(-1)
    score, box = _predict(
        head,
        level,
        head.multi_level_cls_convs[level][1:](cls_feature),
        head.multi_level_reg_convs[level][1:](reg_feature),
    )
    score = score.clamp(1e-6, 1 - 1e-6)
    entropy = F.binary_cross_entropy(score, target, reduction='none')
    cls = ((score.detach() - target).abs() ** 2 * entropy).sum()
    sure = weight > 0.05
    iou = bbox_overlaps(box[sure], target_box[sure], is_aligned=True)
    return cls, ((1 - iou) * weight[sure]).sum(), weight.sum()


def _predict(head: YOLOXHead, level: int, cls: Tensor, reg: Tensor) -> tuple[Tensor, Tensor]:
    """Scores ``(N, C)`` and boxes ``(N, 4)`` of all places of a level."""
    classes = head.multi_level_conv_cls[level](cls).permute(0, 2, 3, 1).flatten(0, 2).sigmoid()
    objectness = head.multi_level_conv_obj[level](reg).permute(0, 2, 3, 1).flatten(0, 2).sigmoid()
    deltas = head.multi_level_conv_reg[level](reg).permute(0, 2, 3, 1).flatten(1, 2)
    priors = head.prior_generator.single_level_grid_priors(
        reg.shape[2:], level, dtype=reg.dtype, device=reg.device, with_stride=True
    )
    return classes * objectness, head._bbox_decode(priors, deltas).flatten(0, 1)
