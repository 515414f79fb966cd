"""Losses of a distributed run as one number each."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet.registry import HOOKS


@HOOKS.register_module()
class MeanLossHook(Hook):
    """Logs the mean of each loss over all processes.

    MMEngine logs the losses of the first process, which has seen a part of the batch only. The
    mean is the loss of the whole batch where losses are normalised over all processes, as those of
    YOLOX and of the auxiliary head are; so logs compare with those of a single process.
    """

    priority = 'HIGHEST'  # before RuntimeInfoHook, which logs the losses

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        names = [name for name in outputs or {} if 'loss' in name]
        if get_world_size() == 1 or outputs is None or not names:
            return
        means = torch.stack([outputs[name].detach().float() for name in names])
        all_reduce(means, 'mean')
        outputs.update(zip(names, means, strict=True))
