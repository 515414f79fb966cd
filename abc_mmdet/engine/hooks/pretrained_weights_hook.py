"""``load_from`` by meaning: levels by stride, class rows by class name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch import nn

from abc_mmdet.checkpoints.content import classes_of, meta_of, weights_of
from abc_mmdet.checkpoints.pretrained import HeadLayout, check_fits, transfer
from abc_mmdet.checkpoints.yolox_names import tensors_of
from abc_mmdet.models.dense_heads import ABCHead
from abc_mmdet.models.dense_heads.abc_head import head_strides
from abc_mmdet.models.wrapped import unwrapped
from mmdet.datasets import CocoDataset
from mmdet.registry import HOOKS


@HOOKS.register_module()
class PretrainedWeightsHook(Hook):
    """Fits the checkpoint of ``load_from`` to the detector that is about to be trained.

    A detector trained on COCO has other classes, and often other levels, than the one that is to be
    fine-tuned. MMEngine loads by name and leaves out what has another shape, without a word that
    users see: class layers start from scratch, and with a level of stride 4 before the others the
    head of stride 8 lands on it. Here, as :func:`~abc_mmdet.models.pretrained_weights.transfer`
    says, levels are matched by stride and class rows by class name, and the log has a short table
    of what was taken over.

    Checkpoints of MMDetection and of Megvii's YOLOX load as they are. A run that is resumed, and
    testing, load exactly what is in their file.

    Args:
        class_map: pretrained class for classes whose name does not say it (``dict(drone='bird')``).
        classes: names of the pretrained classes, where the checkpoint does not have them and they
            are not COCO's 80.

    Raises:
        UserError: the file holds no finite weights, or less than half of the backbone fits.

    Example:
        >>> config = dict(
        ...     load_from='yolox_s_coco.pth',
        ...     default_hooks=dict(pretrained_weights=dict(class_map=dict(Vehicle='car'))))
    """

    priority = 'HIGHEST'  # before hooks that take something out of the checkpoint

    def __init__(
        self, class_map: Mapping[str, str] | None = None, classes: Sequence[str] | None = None
    ) -> None:
        self.class_map = class_map
        self.classes = classes

    def after_load_checkpoint(self, runner: Runner, checkpoint: Any) -> None:
        # Private, but all there is to tell fine-tuning from resuming and testing
        if runner._resume or not isinstance(runner._train_loop, BaseLoop):
            return
        file = str(runner._load_from)
        weights_of(checkpoint, f'load_from: {file}')
        tensors = tensors_of(checkpoint)
        model = unwrapped(runner.model)
        meta = meta_of(checkpoint, file)
        result = transfer(
            tensors,
            model,
            *head_layouts(model, runner.train_dataloader.dataset.metainfo.get('classes')),
            self.classes or pretrained_classes(meta, tensors),
            self.class_map,
        )
        check_fits(result, f'load_from: {file}')
        checkpoint.clear()
        checkpoint.update(meta=meta, state_dict=result.state)
        runner.logger.info(f'weights from {file}\n{result.table()}')


def head_layouts(
    model: nn.Module, classes: Sequence[str] | None
) -> tuple[HeadLayout, HeadLayout | None]:
    """Levels and classes of the main head and of an auxiliary one."""
    head = getattr(model, 'bbox_head', None)
    main = HeadLayout(_strides(head), classes)
    if not (isinstance(head, ABCHead) and head.use_auxiliary):
        return main, None
    return main, HeadLayout(_strides(head.aux_head), head.small_classes.names)


def _strides(head: Any) -> list[int]:
    """Strides of a head's levels; none for a head without a prior generator."""
    return head_strides(head) if hasattr(head, 'prior_generator') else []


def pretrained_classes(
    meta: Mapping[str, Any] | None, tensors: Mapping[str, Any]
) -> Sequence[str] | None:
    """Class names of a checkpoint: its own, or COCO's where there are 80."""
    named = classes_of(meta or {})
    if named is not None:
        return named
    rows = {len(v) for n, v in tensors.items() if 'multi_level_conv_cls.' in n}
    coco = CocoDataset.METAINFO['classes']
    return coco if rows == {len(coco)} else None
