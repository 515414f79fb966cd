"""Hooks that every training run has, whatever its config."""

from __future__ import annotations

from mmengine.config import Config

STANDARD = dict(
    finite_loss='FiniteLossHook',
    kept_boxes='KeptBoxesHook',
    mean_loss='MeanLossHook',
    pretrained_weights='PretrainedWeightsHook',
)


def add_standard_hooks(config: Config) -> None:
    """Put the hooks that watch over a run among ``default_hooks``.

    They are not in ``configs/_base_/default_runtime.py`` because studies know their finished runs
    by the content of a config, and these hooks change no result. A config or ``--cfg-options`` sets
    their fields under the same names (``default_hooks.finite_loss.max_skipped=10``), leaves one
    out (``default_hooks.finite_loss=None``) or has its own in ``custom_hooks``.
    """
    if config.get('default_hooks') is None:
        config.default_hooks = {}
    hooks = config.default_hooks
    own = {hook.get('type') for hook in config.get('custom_hooks') or [] if isinstance(hook, dict)}
    for name, kind in STANDARD.items():
        if kind not in own and hooks.get(name, {}) is not None:
            hooks[name] = {'type': kind, **hooks.get(name, {})}
