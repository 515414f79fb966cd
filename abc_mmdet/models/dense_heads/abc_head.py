"""ABC: a main head that detects, beside an auxiliary head that only teaches the features."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.checkpoints.conversion import adopt_plain_head
from abc_mmdet.errors import UserError
from abc_mmdet.models.small_classes import SmallClasses, checked_names, refuse_ids, small_sample
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import ConfigType

COCO_CLASSES = 80


@MODELS.register_module()
class ABCHead(BaseModule):
    """Auxiliary Balanced Classifier around any single-stage dense head of MMDetection.

    In training both heads see the pyramid; their losses are joined by the multi-task loss, their
    gradients on the levels that both see by the arbiter, which also reports how far they agree
    (``conflict/*`` in the log, of the iteration before: it is backward that shows it). In
    prediction, in ``forward`` and so in export, the main head stands alone: the auxiliary branch
    is not called. Everything else a detector or a hook asks of its ``bbox_head``
    (``num_classes``, ``prior_generator``, ``predict_by_feat``, ...) is answered by the main head.

    Levels are found by their stride: the main head takes the last levels of the pyramid, as many
    as it has strides; finer strides of the auxiliary head are expected before them.

    Checkpoints of the plain detector (``bbox_head.*``) load as they are. The way back is
    :func:`abc_mmdet.checkpoints.conversion.to_plain`.

    Args:
        main_head: config of a dense head; ``num_classes`` is filled in from ``classes``.
        classes: names of all classes, in the order of the data set.
        small_classes: names of the classes of the auxiliary task, or ``'all'``; needed with an
            ``aux_head``, unless ``max_area`` alone decides.
        max_area: area up to which objects belong to the auxiliary task, in pixels² of the network
            input; larger ones of the small classes are ignored there
            (:func:`abc_mmdet.models.small_classes.small_sample`). Default: no limit.
        aux_head: config of the auxiliary head; ``num_classes`` is filled in.
        multi_task_loss: config of the loss that joins both.
        arbiter: fields of a :class:`GradientArbiter` (``dict(mode='gate')``), with a ``type`` for
            another class; strides are filled in. ``None`` for the plain sum without a report.
        use_auxiliary: ``False`` builds no auxiliary head: the main head exactly.
        train_cfg, test_cfg: handed to the main head, as a detector does.
        init_cfg: initialisation config.

    Raises:
        UserError: class names that do not fit, or an auxiliary head whose strides the pyramid of
            the main head does not continue.
    """

    def __init__(
        self,
        main_head: ConfigType,
        classes: Sequence[str],
        small_classes: Sequence[str] | str = (),
        max_area: float | None = None,
        aux_head: ConfigType | None = None,
        multi_task_loss: ConfigType = dict(type='ABCMultiTaskLoss'),  # noqa: B006
        arbiter: ConfigType | None = dict(type='GradientArbiter', mode='sum'),  # noqa: B006
        use_auxiliary: bool = True,
        train_cfg: ConfigType | None = None,
        test_cfg: ConfigType | None = None,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.classes = checked_names(classes, 'classes')
        refuse_ids(self.classes, small_classes)
        main_head = {'train_cfg': train_cfg, 'test_cfg': test_cfg, **main_head}
        self.main_head = _build_head(main_head, self.classes, 'main_head')

        self.use_auxiliary = use_auxiliary and aux_head is not None
        if not self.use_auxiliary:
            return
        self.small_classes = SmallClasses(self.classes, small_classes, max_area)
        self.aux_head = _build_head(aux_head, self.small_classes.names, 'aux_head')
        self.multi_task_loss = MODELS.build(multi_task_loss)
        self.register_buffer('label_table', self.small_classes.label_table(), persistent=False)

        main, aux = head_strides(self.main_head), head_strides(self.aux_head)
        self.pyramid_strides = sorted({*main, *aux})
        if self.pyramid_strides[-len(main) :] != main:
            raise UserError(
                f'aux_head strides {aux} leave a gap in those of main_head, {main}: every '
                'auxiliary stride must be one of the main head or finer than all of them.'
            )
        strides = dict(main_strides=main, aux_strides=aux)
        self.arbiter = (
            MODELS.build({'type': 'GradientArbiter', **arbiter, **strides}) if arbiter else None
        )

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith('_') or name == 'main_head':
                raise
            return getattr(self.main_head, name)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        adopt_plain_head(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)

    @property
    def use_l1(self) -> bool:
        """YOLOX's switch for the L1 loss; set by MMDetection's ``YOLOXModeSwitchHook``."""
        return self.main_head.use_l1

    @use_l1.setter
    def use_l1(self, value: bool) -> None:
        self.main_head.use_l1 = value
        if self.use_auxiliary:
            self.aux_head.use_l1 = value

    def loss(self, x: Sequence[Tensor], batch_data_samples: list[DetDataSample]) -> dict:
        """Losses of both tasks, or of the main task alone with ``use_auxiliary=False``.

        A neck with train-only levels gives the main levels alone in evaluation mode; then the
        main losses are returned (a validation loss).

        Args:
            x: ``(B, C, H_i, W_i)`` per level of the pyramid, finest first.
            batch_data_samples: ground truth with labels of all classes; left as it is.

        Raises:
            UserError: the pyramid lacks a level that one of the heads needs.
        """
        main_levels = self._main_levels(x)
        if not self.use_auxiliary or (not self.training and self._aux_levels_missing(x)):
            return self.main_head.loss(main_levels, batch_data_samples)
        aux_levels = self._aux_levels(x)
        report: dict[str, Tensor] = {}
        if self.arbiter is not None:
            main_levels, aux_levels = self.arbiter(main_levels, aux_levels)
            if self.training:
                report = self.arbiter.report()
        main_losses = self.main_head.loss(main_levels, batch_data_samples)
        aux_losses = self.aux_head.loss(
            aux_levels, [self._small_sample(sample) for sample in batch_data_samples]
        )
        return {**self.multi_task_loss(main_losses, aux_losses), **report}

    def predict(
        self, x: Sequence[Tensor], batch_data_samples: list[DetDataSample], rescale: bool = False
    ) -> list[InstanceData]:
        """Detections of the main head, one ``InstanceData`` per image."""
        return self.main_head.predict(self._main_levels(x), batch_data_samples, rescale=rescale)

    def forward(self, x: Sequence[Tensor]) -> tuple:
        """Raw outputs of the main head."""
        return self.main_head(self._main_levels(x))

    def _main_levels(self, x: Sequence[Tensor]) -> tuple[Tensor, ...]:
        strides = head_strides(self.main_head)
        if len(x) < len(strides):
            raise UserError(
                f'main_head has strides {strides}, but the pyramid gives {len(x)} levels: give '
                'the neck as many levels as the head has strides.'
            )
        return tuple(x[-len(strides) :])

    def _aux_levels_missing(self, x: Sequence[Tensor]) -> bool:
        return len(x) < len(self.pyramid_strides)

    def _aux_levels(self, x: Sequence[Tensor]) -> tuple[Tensor, ...]:
        strides = head_strides(self.aux_head)
        if self._aux_levels_missing(x):
            raise UserError(
                f'aux_head needs strides {strides}: the pyramid should have levels at '
                f'{self.pyramid_strides}, but the neck gives {len(x)}. Give backbone and neck '
                'another fine level, or remove the finest stride of aux_head.'
            )
        by_stride = dict(zip(self.pyramid_strides, x[-len(self.pyramid_strides) :], strict=True))
        return tuple(by_stride[stride] for stride in strides)

    @torch.compiler.disable  # which cannot trace the making of data samples
    def _small_sample(self, sample: DetDataSample) -> DetDataSample:
        return small_sample(sample, self.label_table, self.small_classes.max_area)


def _build_head(config: ConfigType, names: Sequence[str], field: str) -> BaseModule:
    """Build a head for the classes ``names``; its ``num_classes`` is their number or left out.

    COCO's number is that of a shipped config a head was inherited from, and is taken for left out.
    """
    num_classes = config.get('num_classes', len(names))
    if num_classes == COCO_CLASSES:
        num_classes = len(names)
    if num_classes != len(names):
        raise UserError(
            f'{field}.num_classes={num_classes}, but its classes are {len(names)}: '
            f'{list(names)}. Leave num_classes out; it is counted.'
        )
    return MODELS.build({**config, 'num_classes': num_classes})


def head_strides(head: BaseModule) -> list[int]:
    """Strides of a head's levels in pixels, from its prior generator (one or two numbers each).

    Raises:
        UserError: a head without one, or one that wants the coarsest level first.
    """
    generator = getattr(head, 'prior_generator', None)
    if generator is None or not hasattr(generator, 'strides'):
        raise UserError(
            f'{type(head).__name__} has no prior_generator with the strides of its levels, by '
            'which ABCHead gives the levels of the pyramid to its two heads: take a head that '
            'has one (YOLOXHead, RTMDetHead, GFLHead, ATSSHead, FCOSHead, ...), or leave out '
            'aux_head.'
        )
    strides = [s if isinstance(s, int) else s[0] for s in generator.strides]
    if strides != sorted(strides):
        raise UserError(
            f'{type(head).__name__} takes the levels of the pyramid with strides {strides}, the '
            'coarsest first; ABCHead joins heads that take them finest first, as most do.'
        )
    return strides
