"""Changes the weights of the two tasks during training."""

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from abc_mmdet.errors import UserError
from mmdet.registry import HOOKS

WEIGHTS = ('main_weight', 'aux_weight')


@HOOKS.register_module()
class MultiTaskWeightHook(Hook):
    """Sets the weights of :class:`ABCMultiTaskLoss` from given iterations on.

    The weights follow from the iteration alone, so a resumed run has those of the undisturbed
    one. Example: ``dict(type='MultiTaskWeightHook', schedule=[dict(begin=50_000,
    aux_weight=0.0)])`` switches the auxiliary task off half-way.

    Args:
        schedule: entries with ``begin`` (iteration, counted from 0) and one or both weights.

    Raises:
        UserError: an entry without ``begin`` or with an unknown field, or a model without
            :class:`ABCHead`.
    """

    def __init__(self, schedule: Sequence[dict]) -> None:
        for entry in schedule:
            if 'begin' not in entry or not set(entry) - {'begin'} <= set(WEIGHTS):
                raise UserError(
                    f'MultiTaskWeightHook schedule entry {dict(entry)} is wrong: give begin and '
                    f'one or both of {WEIGHTS}.'
                )
        self.schedule = sorted(schedule, key=lambda entry: entry['begin'])

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        loss = getattr(model.bbox_head, 'multi_task_loss', None)
        if loss is None:
            raise UserError(
                'MultiTaskWeightHook needs a model whose bbox_head is an ABCHead with an '
                'auxiliary head; remove the hook or use_auxiliary=False.'
            )
        for entry in self.schedule:
            if entry['begin'] <= runner.iter:
                for weight in set(entry) & set(WEIGHTS):
                    setattr(loss, weight, entry[weight])
