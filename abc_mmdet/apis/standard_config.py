"""Where the parts of an experiment are in its config, and what every run has beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from abc_mmdet.datasets.wrapped import walk
from abc_mmdet.errors import UserError
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def type_name(options: dict) -> str:
    """Name of the class that something is built from, whether it is given by name or as a class."""
    kind = options.get('type', '')
    return str(getattr(kind, '__name__', kind)).split('.')[-1]


def coco_evaluators(config: Config, field: str) -> Iterator[dict]:
    """Options of the evaluators that are COCO's, or of a class below it.

    Args:
        config: the experiment.
        field: ``val_evaluator`` or ``test_evaluator``: one, a list of them, or none.
    """
    evaluators = config.get(field) or []
    for options in [evaluators] if isinstance(evaluators, dict) else evaluators:
        kind = options.get('type')
        kind = METRICS.get(kind) if isinstance(kind, str) else kind
        if isinstance(kind, type) and issubclass(kind, CocoMetric):
            yield options


def common(config: Config, loader: str, *fields: str) -> Any:
    """What the data sets of a loader have in common: pipeline, class names, ...

    That of a wrapper counts for all inside it.

    Args:
        config: the experiment.
        loader: such as ``test_dataloader``.
        *fields: from the options of a data set to the value: ``'metainfo', 'classes'``.

    Returns:
        The value; None if none of them has it, or there is no such loader.

    Raises:
        UserError: data sets side by side have different ones.
    """
    if not config.get(loader):
        return None
    found: dict[str, Any] = {}
    for name, options in walk(config[loader]['dataset'], f'{loader}.dataset'):
        value = options
        for field in fields:
            value = (value or {}).get(field)
        if value is not None and not any(name.startswith(f'{outer}.') for outer in found):
            found[name] = value
    for name, value in found.items():
        first = next(iter(found))
        if value != found[first]:
            what = '.'.join(fields)
            raise UserError(
                f'{config.filename}: {first}.{what} and {name}.{what} differ, so it is not known '
                f'which of them is meant:\n  {found[first]}\n  {value}\n'
                'Name one of the data sets in the config, or make them equal.'
            )
    return next(iter(found.values()), None)


STANDARD = dict(
    checkpoint_fit='CheckpointFitHook',
    finite_loss='FiniteLossHook',
    kept_boxes='KeptBoxesHook',
    mean_loss='MeanLossHook',
    pretrained_weights='PretrainedWeightsHook',
    resumed_schedule='ResumedScheduleHook',
)
IN_TESTS = dict(checkpoint_fit='CheckpointFitHook')


def add_standard_hooks(config: Config, standard: Mapping[str, str] = STANDARD) -> None:
    """Put the hooks that watch over a run among ``default_hooks``.

    They are not in ``configs/_base_/default_runtime.py`` because studies know their finished runs
    by the content of a config, and these hooks change no result. A config or ``--cfg-options`` sets
    their fields under the same names (``default_hooks.finite_loss.max_skipped=10``), leaves one
    out (``default_hooks.finite_loss=None``) or has its own in ``custom_hooks``.

    Args:
        config: the experiment.
        standard: types of the hooks by their field in ``default_hooks``.
    """
    _fit_sampler(config)
    if config.get('default_hooks') is None:
        config.default_hooks = {}
    for hook in config.get('custom_hooks') or []:
        if isinstance(hook, dict) and type_name(hook) == 'NumClassCheckHook':
            # It counts the classes of the auxiliary head, too; ours compares those that detect
            hook['type'] = 'ClassNamesHook'
    hooks = config.default_hooks
    if type_name(hooks.get('logger') or {}) == 'LoggerHook' and not by_epoch(config):
        # Or the figures of all validations are logged as those of step 0
        hooks['logger'].setdefault('log_metric_by_epoch', False)
    own = {hook.get('type') for hook in config.get('custom_hooks') or [] if isinstance(hook, dict)}
    for name, kind in standard.items():
        if kind not in own and hooks.get(name, {}) is not None:
            hooks[name] = {'type': kind, **hooks.get(name, {})}


def keep_best_checkpoint(config: Config) -> None:
    """Let a run that validates keep its best checkpoint, by mean average precision.

    ``default_hooks.checkpoint.save_best`` names another figure, or is None for no such checkpoint.
    It is not in ``configs/_base_/default_runtime.py`` for the reason of :func:`add_standard_hooks`.
    """
    hook = (config.get('default_hooks') or {}).get('checkpoint')
    if hook and type_name(hook) == 'AtomicCheckpointHook' and config.get('val_evaluator'):
        hook.setdefault('save_best', 'auto')


def by_epoch(config: Config) -> bool:
    """Whether training counts epochs."""
    loop = config.get('train_cfg') or {}
    return bool(loop.get('by_epoch')) or type_name(loop).endswith('EpochBasedTrainLoop')


def _fit_sampler(config: Config) -> None:
    """Let the epochs of a loop that counts them end."""
    sampler = (config.get('train_dataloader') or {}).get('sampler')
    if not isinstance(sampler, dict) or not by_epoch(config):
        return
    if type_name(sampler).endswith('SmallObjectSampler'):
        sampler['by_epoch'] = True


THEIRS, OURS = 'DetLocalVisualizer', 'DetectionVisualizer'
THEIR_HOOK, OUR_HOOK = 'DetVisualizationHook', 'ImageVisualizationHook'


def use_own_drawing(config: Config) -> None:
    """Let the runner draw boxes, and name images, as ``tools/infer.py`` does, in place.

    Not in ``configs/_base_/default_runtime.py``: studies know their finished runs by the content of
    a config, and drawing changes no result. Another visualizer or hook than MMDetection's own
    stays.
    """
    options = config.get('visualizer')
    if isinstance(options, dict) and type_name(options) == THEIRS:
        options['type'] = OURS
    hook = (config.get('default_hooks') or {}).get('visualization')
    if isinstance(hook, dict) and type_name(hook) == THEIR_HOOK:
        hook['type'] = OUR_HOOK


def group_by_size(config: Config) -> None:
    """Let validation and test put only images of one size into a batch.

    Not in our ``_base_`` configs because studies know their finished runs by the content of a
    config. A loader with a ``batch_sampler`` of its own keeps it.

    Args:
        config: the experiment; changed in place.
    """
    for kind in ('val', 'test'):
        loader = config.get(f'{kind}_dataloader')
        if loader and loader.get('batch_size', 1) > 1 and not loader.get('batch_sampler'):
            loader['batch_sampler'] = dict(type='SameSizeBatchSampler')
