"""The head of the auxiliary task: small objects on the finest levels, in training only."""

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from torch import Tensor, nn

from mmdet.models.dense_heads import YOLOXHead
from mmdet.registry import MODELS
from mmdet.utils import ConfigType

from .ignore_region_head import IgnoreRegions


@MODELS.register_module()
class AuxSmallObjectHead(IgnoreRegions, YOLOXHead):
    """A YOLOX head on the finest levels, with feature convolutions of its own before it.

    The enhancing convolutions stand between the shared features and the auxiliary task, so that
    what only that task needs does not have to be in the features. They also narrow the features
    to ``feat_channels``, which keeps training on a stride-4 level affordable.

    It heeds ignored instances as :class:`IgnoreRegionYOLOXHead` does; objects of the small classes
    above ``max_area`` are among them. Priors whose centre is in such a box are ignored as well.

    Args:
        num_classes: number of small classes; :class:`ABCHead` fills it in.
        in_channels: channels of the shared features.
        feat_channels: channels of the enhanced features and of the head's convolutions.
        num_enhance_convs: 3x3 convolutions per level before the head; 0 for none.
        stacked_convs: 3x3 convolutions of each of the head's two branches.
        strides: strides of the levels used, in pixels; these levels must be in the pyramid.
        train_cfg: the task's own assigner; default ``FastSimOTAAssigner``.
        **kwargs: as in :class:`YOLOXHead`, and ``ignore_iof_thr``.
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
        **kwargs: Any,
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

    def ignored_priors(self, priors: Tensor, decoded_bboxes: Tensor, regions: Tensor) -> Tensor:
        """Also those whose centre is in a region.

        Objects above ``max_area`` are among the regions. The boxes predicted on them are those of
        a task that learns small boxes only, and may be of any size.
        """
        centers = (priors[:, :2] + priors[:, 2:] * 0.5).unsqueeze(1)  # (P, 1, 2)
        inside = ((centers > regions[:, :2]) & (centers < regions[:, 2:])).all(-1).any(-1)
        return inside | super().ignored_priors(priors, decoded_bboxes, regions)
