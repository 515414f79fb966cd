"""Stops a training whose data has no box to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from abc_mmdet.datasets.wrapped import leaves
from abc_mmdet.errors import UserError
from mmdet.registry import HOOKS


@HOOKS.register_module()
class KeptBoxesHook(Hook):
    """Looks for a box that counts, in data sets of any kind, before the first iteration.

    The first image usually has one; where none has, boxes were crowds, outside their images, of
    other classes or ids, and training would run to its end without a loss of class or box. The
    tools name the reason for COCO files; this is for all others.

    Raises:
        UserError: no image or frame of the training data keeps a box.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        datasets = leaves(runner.train_dataloader.dataset)
        if datasets and not any(_has_box(dataset) for dataset in datasets):
            kinds = sorted({type(dataset).__name__ for dataset in datasets})
            raise UserError(
                f'train_dataloader.dataset ({", ".join(kinds)}, '
                f'{sum(map(len, datasets))} samples): no image keeps a box, so there is nothing to '
                'learn. Boxes are left out that are crowds or ignored, without area, outside their '
                'image or of a class that metainfo.classes does not name; '
                'tools/analysis_tools/check_dataset.py says which.'
            )


def _has_box(dataset: Any) -> bool:
    """Whether a data set has a box that counts, or is of a kind that does not tell."""
    if not hasattr(dataset, 'get_data_info'):
        return True
    is_known = len(dataset) == 0
    for position in range(len(dataset)):
        info = dataset.get_data_info(position)
        instances: Sequence[dict] | None = info.get('instances')
        frames: Sequence[dict] | None = info.get('frames')
        if instances is None and frames is None:
            continue
        is_known = True
        if any(not instance.get('ignore_flag') for instance in instances or ()):
            return True
        if any(len(frame['bboxes']) for frame in frames or ()):
            return True
    return not is_known
