"""Stops a test or a resumed run whose checkpoint is that of another network or other classes."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from abc_mmdet.checkpoints.content import classes_of, meta_of
from abc_mmdet.checkpoints.fit import Target, fitting_state
from abc_mmdet.errors import UserError
from abc_mmdet.models.wrapped import unwrapped
from mmdet.registry import HOOKS

FOR_RESUMING = ('meta', 'optimizer', 'message_hub')


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Takes the checkpoint of a test or a resumed run only if it belongs to the config.

    MMEngine loads what has the same name and shape and leaves out the rest: a checkpoint of another
    data set is tested to an AP of 0.000. Here tensors and class names have to agree, as
    :func:`~abc_mmdet.models.checkpoint_fit.fitting_state` says. Where training begins from
    ``load_from``, :class:`PretrainedWeightsHook` decides instead.

    ``tools/train.py`` and ``tools/test.py`` give it to every run
    (:func:`abc_mmdet.apis.standard_config.add_standard_hooks`).

    Raises:
        UserError: a checkpoint that does not fit, or one that a run cannot go on from.
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
