"""The head of the auxiliary task: small objects on the finest levels, in training only."""

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmdet.models.dense_heads import YOLOXHead
from mmdet.registry import MODELS
from mmdet.structures.bbox import get_box_tensor
from mmdet.utils import ConfigType

IGNORED = -1.0  # targets below 0 are masked out by MMDetection's binary cross-entropy


@MODELS.register_module()
class AuxSmallObjectHead(YOLOXHead):
    """A YOLOX head on the finest levels, with feature convolutions of its own before it.

    The enhancing convolutions stand between the shared features and the auxiliary task, so that
    what only that task needs does not have to be in the features. They also narrow the features
    to ``feat_channels``, which keeps training on a stride-4 level affordable.

    Unlike YOLOX it heeds ignored instances: inside their boxes objectness is not trained, except
    at the priors of another object. (Class and box are learnt from objects alone.)

    Args:
        num_classes: number of small classes; :class:`ABCHead` fills it in.
        in_channels: channels of the shared features.
        feat_channels: channels of the enhanced features and of the head's convolutions.
        num_enhance_convs: 3x3 convolutions per level before the head; 0 for none.
        stacked_convs: 3x3 convolutions of each of the head's two branches.
        strides: strides of the levels used, in pixels; these levels must be in the pyramid.
        train_cfg: the task's own assigner; default ``FastSimOTAAssigner``.
        **kwargs: as in :class:`YOLOXHead`.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        feat_channels: int = 64,
        num_enhance_convs: int = 1,
        stacked_convs: int = 1,
        strides: Sequence[int] = (4, 8),
        train_cfg: ConfigType | None = None,
        **kwargs: object,
    ) -> None:
        self.num_enhance_convs = num_enhance_convs
        self.shared_channels = in_channels
        super().__init__(
            num_classes,
            feat_channels if num_enhance_convs else in_channels,
            feat_channels=feat_channels,
            stacked_convs=stacked_convs,
            strides=strides,
            train_cfg=train_cfg or dict(assigner=dict(type='FastSimOTAAssigner')),
            **kwargs,
        )

    def _init_layers(self) -> None:
        self.enhance_convs = nn.ModuleList(self._build_enhance_convs() for _ in self.strides)
        super()._init_layers()

    def _build_enhance_convs(self) -> nn.Sequential:
        conv = DepthwiseSeparableConvModule if self.use_depthwise else ConvModule
        return nn.Sequential(
            *(
                conv(
                    self.shared_channels if i == 0 else self.feat_channels,
                    self.feat_channels,
                    3,
                    padding=1,
                    norm_cfg=self.norm_cfg,
                    act_cfg=self.act_cfg,
                )
                for i in range(self.num_enhance_convs)
            )
        )

    def forward(self, x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Scores, boxes and objectness of each level.

        Args:
            x: ``(B, in_channels, H_i, W_i)`` per level of ``strides``.

        Returns:
            Per level ``(B, num_classes, H_i, W_i)``, ``(B, 4, H_i, W_i)``, ``(B, 1, H_i, W_i)``.
        """
        return super().forward(
            [enhance(level) for enhance, level in zip(self.enhance_convs, x, strict=True)]
        )

    @torch.no_grad()
    def _get_targets_single(
        self,
        priors: Tensor,
        cls_preds: Tensor,
        decoded_bboxes: Tensor,
        objectness: Tensor,
        gt_instances: InstanceData,
        img_meta: dict,
        gt_instances_ignore: InstanceData | None = None,
    ) -> tuple:
        targets = super()._get_targets_single(
            *(priors, cls_preds, decoded_bboxes, objectness),
            *(gt_instances, img_meta, gt_instances_ignore),
        )
        if gt_instances_ignore is None or len(gt_instances_ignore) == 0:
            return targets
        is_object, _, obj_target, *_ = targets
        boxes = get_box_tensor(gt_instances_ignore.bboxes)
        centers = (priors[:, :2] + priors[:, 2:] * 0.5).unsqueeze(1)  # (P, 1, 2)
        inside = ((centers > boxes[:, :2]) & (centers < boxes[:, 2:])).all(-1).any(-1)
        obj_target[inside & ~is_object] = IGNORED
        return targets
