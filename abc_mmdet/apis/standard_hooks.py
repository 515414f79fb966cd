"""Hooks that every run has, whatever its config."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.config import Config

from abc_mmdet.apis.config_parts import type_name

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
    if hook and type_name(hook) == 'WholeCheckpointHook' and config.get('val_evaluator'):
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
