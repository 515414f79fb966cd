"""The last line of a training or a test: what a person looks for first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmengine.runner import Runner

from abc_mmdet.engine.checkpoint_files import newest_checkpoint

FIGURES = {'mAP': 'bbox_mAP', 'AP_small': 'bbox_mAP_s', 'small classes': 'bbox_mAP_small_classes'}


def result_line(metrics: Mapping[str, float], checkpoint: str | Path | None) -> str:
    """Mean average precision, that of small objects and of small classes, and whose they are.

    Args:
        metrics: of an evaluation, by names with or without a prefix such as ``coco/``.
        checkpoint: that was evaluated.

    Example:
        >>> result_line({'coco/bbox_mAP': 0.2084, 'coco/bbox_mAP_s': 0.172}, 'iter_400.pth')
        'result: mAP 0.208, AP_small 0.172, checkpoint iter_400.pth'
    """
    named = {name.rpartition('/')[2]: value for name, value in metrics.items()}
    parts = [f'{name} {named[key]:.3f}' for name, key in FIGURES.items() if key in named]
    parts += [f'checkpoint {checkpoint}'] if checkpoint else []
    return f'result: {", ".join(parts)}'


def training_result(runner: Runner) -> str | None:
    """The line of a training that has ended; None where it evaluated nothing.

    The figures are those of the last evaluation, and so is the checkpoint, the newest.
    """
    scalars = runner.message_hub.log_scalars
    metrics = {
        name: history.current()
        for name, history in scalars.items()
        if name.startswith('val/') and name.rpartition('/')[2] in FIGURES.values()
    }
    if not metrics:
        return None
    # The pointer of a work dir that was moved names the place where it was
    return result_line(metrics, newest_checkpoint(Path(runner.work_dir))[0])
