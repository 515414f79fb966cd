"""Which weights a run begins with: by name where it goes on or is tested, else by meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch import nn

from abc_mmdet.checkpoints.content import classes_of, meta_of, weights_of
from abc_mmdet.checkpoints.fit import Target, fitting_state
from abc_mmdet.checkpoints.names import tensors_of
from abc_mmdet.checkpoints.pretrained import HeadLayout, check_fits, transfer
from abc_mmdet.errors import UserError
from abc_mmdet.models.dense_heads import ABCHead
from abc_mmdet.models.dense_heads.abc_head import head_strides
from abc_mmdet.utils.wrapped import unwrapped
from mmdet.datasets import CocoDataset
from mmdet.registry import HOOKS

FOR_RESUMING = ('meta', 'optimizer', 'message_hub')


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Takes the checkpoint of a test or a resumed run only if it belongs to the config.

    MMEngine loads what has the same name and shape and leaves out the rest: a checkpoint of another
    data set is tested to an AP of 0.000. Here tensors and class names have to agree, as
    :func:`~abc_mmdet.checkpoints.fit.fitting_state` says. Where training begins from
    ``load_from``, :class:`PretrainedWeightsHook` decides instead.

    ``tools/train.py`` and ``tools/test.py`` give it to every run
    (:func:`abc_mmdet.apis.standard_config.prepare_run`).

    Raises:
        UserError: a checkpoint that does not fit, or one that a run cannot go on from.

    Examples:
        >>> config = dict(default_hooks=dict(checkpoint_fit=dict(type='CheckpointFitHook')))
    """

    priority = 'HIGHEST'  # before hooks that take something out of the checkpoint

    def after_load_checkpoint(self, runner: Runner, checkpoint: Any) -> None:
        resumed = bool(runner._resume)  # private, but all there is to tell them apart
        if not resumed and isinstance(runner._train_loop, BaseLoop):
            return
        file = str(runner._load_from or 'the newest checkpoint')
        loader = runner.train_dataloader if resumed else runner.test_dataloader
        classes = getattr(loader.dataset, 'metainfo', {}).get('classes')
        target = Target(unwrapped(runner.model), str(runner.cfg.filename), classes, resumed)
        state = fitting_state(checkpoint, target, file)
        meta = meta_of(checkpoint, file)
        if resumed:
            _check_resumable(checkpoint, file)
        elif classes_of(meta) is None:
            runner.logger.info(
                f'{file} does not name its classes; they are taken for those of the config'
            )
        if not resumed:
            checkpoint.clear()
        checkpoint.update(meta=meta, state_dict=state)


def _check_resumable(checkpoint: dict[str, Any], file: str) -> None:
    missing = [key for key in FOR_RESUMING if key not in checkpoint]
    missing += [f'meta.{key}' for key in ('epoch', 'iter') if key not in checkpoint.get('meta', {})]
    if missing:
        raise UserError(
            f'--resume: {file} has no {", ".join(missing)}, so a run cannot go on from it. Give '
            'iter_*.pth or epoch_*.pth of its work dir; to begin another run from the weights '
            'leave --resume out and give them as load_from.'
        )


@HOOKS.register_module()
class PretrainedWeightsHook(Hook):
    """Fits the checkpoint of ``load_from`` to the detector that is about to be trained.

    A detector trained on COCO has other classes, and often other levels, than the one that is to be
    fine-tuned. MMEngine loads by name and leaves out what has another shape, without a word that
    users see: class layers start from scratch, and with a level of stride 4 before the others the
    head of stride 8 lands on it. Here, as :func:`~abc_mmdet.checkpoints.pretrained.transfer`
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

    Examples:
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
