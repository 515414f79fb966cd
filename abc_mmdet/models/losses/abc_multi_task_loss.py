"""Joins the losses of the main and the auxiliary task."""

import torch
from torch import Tensor, nn

from abc_mmdet.errors import UserError
from mmdet.registry import MODELS

LossDict = dict[str, Tensor | list[Tensor]]


@MODELS.register_module()
class ABCMultiTaskLoss(nn.Module):
    """Weighs and names the loss dicts of the two tasks of :class:`ABCHead`.

    MMEngine sums every entry whose name contains ``loss``; entries without it (an accuracy, say)
    are only logged. Main losses keep their names, so that logs compare with those of the plain
    detector; those of the auxiliary task get the prefix ``aux_``.

    The weights are plain attributes: :class:`MultiTaskWeightHook` sets them during a run. With
    ``aux_weight=0`` the auxiliary branch still runs, with zero gradient, so that every parameter
    stays in use in distributed training.

    With ``uncertainty`` each task also has a learned log-variance ``s`` (Kendall et al., CVPR
    2018), and adds ``weight * (exp(-s) * loss + s)``, twice their form, so that at the start, with
    ``s = 0``, nothing is changed. The effective weights, ``weight * exp(-s)``, are logged as
    ``main_effective_weight`` and ``aux_effective_weight``, and ``weight * s`` as
    ``loss_uncertainty`` and ``aux_loss_uncertainty``; the sum of all can be negative. What to
    expect: ``s`` goes to ``log(loss)``, so the effective weight to ``weight / loss``. YOLOX's
    losses begin at ten or more: gradients of features and of the network become that many times
    smaller, and grow against the losses as these fall. Adam takes no notice of a factor; SGD's
    learning rate, and a clipping by norm or value, may have to follow. At the start the
    log-variances have the gradient ``weight * (1 - loss)``, which counts in a clipping by norm.

    Args:
        main_weight: factor of the main losses.
        aux_weight: factor of the auxiliary losses; 2.0 in the published ABC experiment, 0.25 for
            the auxiliary heads of YOLOv7 (Wang et al., 2022).
        uncertainty: learn the log-variances; the weights then are those of the tasks after both
            losses were brought to the same size.

    Raises:
        UserError: a weight is negative.

    Examples:
        >>> loss = ABCMultiTaskLoss(aux_weight=0.25)
    """

    def __init__(
        self, main_weight: float = 1.0, aux_weight: float = 2.0, uncertainty: bool = False
    ) -> None:
        super().__init__()
        for name, weight in (('main_weight', main_weight), ('aux_weight', aux_weight)):
            if weight < 0:
                raise UserError(f'ABCMultiTaskLoss {name}={weight} is negative; use 0 or more.')
        self.main_weight = main_weight
        self.aux_weight = aux_weight
        self.uncertainty = uncertainty
        if uncertainty:
            self.log_variances = nn.Parameter(torch.zeros(2))  # of the main and auxiliary task

    def forward(self, main_losses: LossDict, aux_losses: LossDict) -> LossDict:
        """One dict of weighted losses: ``loss_*`` of the main task, ``aux_loss_*`` of the other."""
        main_weight: float | Tensor = self.main_weight
        aux_weight: float | Tensor = self.aux_weight
        learned: LossDict = {}
        if self.uncertainty:
            main_variance, aux_variance = self.log_variances.unbind()
            learned['loss_uncertainty'] = main_weight * main_variance
            learned['aux_loss_uncertainty'] = aux_weight * aux_variance
            main_weight = main_weight * (-main_variance).exp()
            aux_weight = aux_weight * (-aux_variance).exp()
            learned['main_effective_weight'] = main_weight.detach()
            learned['aux_effective_weight'] = aux_weight.detach()
        losses = {name: _scaled(name, v, main_weight) for name, v in main_losses.items()}
        for name, value in aux_losses.items():
            losses[f'aux_{name}'] = _scaled(name, value, aux_weight)
        return {**losses, **learned}


def _scaled(
    name: str, value: Tensor | list[Tensor], weight: float | Tensor
) -> Tensor | list[Tensor]:
    if 'loss' not in name:
        return value
    if isinstance(value, (list, tuple)):  # one tensor per level, as anchor heads return them
        return [v * weight for v in value]
    return value * weight
