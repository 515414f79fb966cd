"""Joins the losses of the main and the auxiliary task."""

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

    Args:
        main_weight: factor of the main losses.
        aux_weight: factor of the auxiliary losses; 2.0 in the published ABC experiment, 0.25 for
            the auxiliary heads of YOLOv7 (Wang et al., 2022).

    Raises:
        UserError: a weight is negative.
    """

    def __init__(self, main_weight: float = 1.0, aux_weight: float = 2.0) -> None:
        super().__init__()
        for name, weight in (('main_weight', main_weight), ('aux_weight', aux_weight)):
            if weight < 0:
                raise UserError(f'ABCMultiTaskLoss {name}={weight} is negative; use 0 or more.')
        self.main_weight = main_weight
        self.aux_weight = aux_weight

    def forward(self, main_losses: LossDict, aux_losses: LossDict) -> LossDict:
        """One dict of weighted losses: ``loss_*`` of the main task, ``aux_loss_*`` of the other."""
        losses = {name: _scaled(name, v, self.main_weight) for name, v in main_losses.items()}
        for name, value in aux_losses.items():
            losses[f'aux_{name}'] = _scaled(name, value, self.aux_weight)
        return losses


def _scaled(name: str, value: Tensor | list[Tensor], weight: float) -> Tensor | list[Tensor]:
    if 'loss' not in name:
        return value
    if isinstance(value, (list, tuple)):  # one tensor per level, as anchor heads return them
        return [v * weight for v in value]
    return value * weight
