"""Which figure of a validation says what the best checkpoint is."""

from __future__ import annotations

from collections.abc import Iterable

from mmengine.runner import Runner

from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.metric_names import possible_names

AUTO = 'auto'
_MAIN = ('bbox_mAP', 'segm_mAP', 'mAP')
"""What ``auto`` means, the first that there is."""


def best_key(wanted: str, keys: Iterable[str]) -> str | None:
    """The key that is meant by a name, which may lack its prefix.

    ``auto`` is the mean average precision, whatever comes first in the validation; without any it
    is the first key, as in MMEngine.

    Args:
        wanted: a key (``coco/bbox_mAP``), one without its prefix (``bbox_mAP``), or ``auto``.
        keys: of the figures that there are.

    Returns:
        The key; None if none is meant.

    Raises:
        UserError: several metrics report a figure of this name.

    Example:
        >>> best_key('bbox_mAP', ['coco/car_precision', 'coco/bbox_mAP'])
        'coco/bbox_mAP'
    """
    keys = list(dict.fromkeys(keys))
    if wanted == AUTO:
        found = [key for name in _MAIN for key in keys if key.rpartition('/')[2] == name]
        return next(iter(found or keys), None)
    if wanted in keys:
        return wanted
    found = [key for key in keys if key.endswith(f'/{wanted}')]
    if len(found) > 1:
        raise UserError(
            f'{wanted!r} (save_best or monitor) is the name of several figures: give one of '
            f'{", ".join(found)}.'
        )
    return found[0] if found else None


def known_keys(runner: Runner) -> list[str] | None:
    """Keys that the validation can have; None if there is none, or they are not known."""
    if runner.val_loop is None:
        return None
    classes = getattr(runner.val_dataloader.dataset, 'metainfo', {}).get('classes') or ()
    return possible_names(runner.val_evaluator.metrics, classes)


def no_such_key(field: str, wanted: str, keys: Iterable[str]) -> UserError:
    """The error for a name, given in a field of the config, that no figure has."""
    return UserError(
        f'{field}={wanted!r}: the validation has no figure of this name. It has {", ".join(keys)}.'
    )
