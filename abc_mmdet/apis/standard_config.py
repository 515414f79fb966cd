"""What every run has beside what its config says."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config

from abc_mmdet.utils.wrapped import walk
from mmdet.datasets.transforms import PackDetInputs

from .config_parts import by_epoch, coco_evaluators, type_name

STANDARD = dict(
    checkpoint_fit='CheckpointFitHook',
    finite_loss='FiniteLossHook',
    kept_boxes='KeptBoxesHook',
    mean_loss='MeanLossHook',
    pretrained_weights='PretrainedWeightsHook',
    resumed_schedule='ResumedScheduleHook',
)
"""Hooks that watch over a run, by their field in ``default_hooks``."""

DRAWING = dict(
    DetLocalVisualizer='DetectionVisualizer', DetVisualizationHook='ImageVisualizationHook'
)
"""What takes the place of MMDetection's; another visualizer or hook stays."""

IN_TESTS = ('checkpoint_fit',)
"""Those that a test has, too."""


def prepare_run(config: Config, is_test: bool = False) -> None:
    """Give an experiment what every run has, as far as its config says nothing else.

    - The hooks of :data:`STANDARD` are among ``default_hooks``. A config or ``--cfg-options`` sets
      their fields under the same names (``default_hooks.finite_loss.max_skipped=10``), leaves one
      out (``default_hooks.finite_loss=None``) or has its own in ``custom_hooks``.
    - A run that validates keeps its best checkpoint, by mean average precision, or by the metric in
      ``default_hooks.checkpoint.save_best``; None there keeps none.
    - Validation and test put only images of one size into a batch, but with a ``batch_sampler``.
    - Boxes are drawn, and images named, as by ``tools/infer.py``, where it was MMDetection's way.

    This is no part of ``configs/_base_/default_runtime.py``: MMDetection's own configs, and others
    that do not begin there, have it too.

    Args:
        config: the experiment; changed in place.
        is_test: of the hooks, those of :data:`IN_TESTS` alone.

    Examples:
        >>> config = Config(dict(val_dataloader=dict(batch_size=2)))
        >>> prepare_run(config, is_test=True)
        >>> list(config.default_hooks), config.val_dataloader.batch_sampler.type
        (['checkpoint_fit'], 'SameSizeBatchSampler')
    """
    _add_hooks(config, IN_TESTS if is_test else tuple(STANDARD))
    _fit_sampler(config)
    hooks = config.default_hooks
    checkpoint = hooks.get('checkpoint')
    if (
        checkpoint
        and type_name(checkpoint) == 'AtomicCheckpointHook'
        and config.get('val_evaluator')
    ):
        checkpoint.setdefault('save_best', 'auto')
    for loader in (config.get('val_dataloader'), config.get('test_dataloader')):
        if loader and loader.get('batch_size', 1) > 1 and not loader.get('batch_sampler'):
            loader['batch_sampler'] = dict(type='SameSizeBatchSampler')
    for options in (config.get('visualizer'), hooks.get('visualization')):
        if isinstance(options, dict) and type_name(options) in DRAWING:
            options['type'] = DRAWING[type_name(options)]


def _add_hooks(config: Config, names: Sequence[str]) -> None:
    if config.get('default_hooks') is None:
        config.default_hooks = {}
    for hook in config.get('custom_hooks') or []:
        if isinstance(hook, dict) and type_name(hook) == 'NumClassCheckHook':
            # It counts the classes of the auxiliary head, too; ours compares those that detect
            hook['type'] = 'ClassNamesHook'
    hooks = config.default_hooks
    if type_name(hooks.get('logger') or {}) == 'LoggerHook' and not by_epoch(config):
        # Or the metrics of all validations are logged as those of step 0
        hooks['logger'].setdefault('log_metric_by_epoch', False)
    own = {hook.get('type') for hook in config.get('custom_hooks') or [] if isinstance(hook, dict)}
    for name in names:
        if STANDARD[name] not in own and hooks.get(name, {}) is not None:
            hooks[name] = {'type': STANDARD[name], **hooks.get(name, {})}


def _fit_sampler(config: Config) -> None:
    """Let the epochs of a loop that counts them end."""
    sampler = (config.get('train_dataloader') or {}).get('sampler')
    if not isinstance(sampler, dict) or not by_epoch(config):
        return
    if type_name(sampler).endswith('SmallObjectSampler'):
        sampler['by_epoch'] = True


FIELD = 'instances'
"""What MMDetection's data sets call the boxes of an image, in pixels of the file."""


def carry_ground_truth(config: Config) -> None:
    """Let ``PackDetInputs`` keep the boxes of an image where the evaluator takes them from there.

    COCO's metrics without ``ann_file`` take the ground truth from the samples, to which the usual
    pipelines of a test do not give it.

    Args:
        config: the experiment; changed in place.
    """
    for kind in ('val', 'test'):
        loader = config.get(f'{kind}_dataloader')
        evaluators = coco_evaluators(config, f'{kind}_evaluator')
        if not loader or all(options.get('ann_file') for options in evaluators):
            continue
        for _, dataset in walk(loader['dataset']):
            for pack in _packs(dataset.get('pipeline')):
                keys = pack.get('meta_keys') or _usual_keys()
                if FIELD not in keys:
                    pack['meta_keys'] = (*keys, FIELD)


def _packs(transforms: Any) -> Iterator[dict]:
    """All ``PackDetInputs`` of a pipeline, also inside other transforms."""
    if isinstance(transforms, dict):
        if type_name(transforms) == PackDetInputs.__name__:
            yield transforms
        transforms = list(transforms.values())
    if isinstance(transforms, (list, tuple)):
        for transform in transforms:
            yield from _packs(transform)


def _usual_keys() -> tuple[str, ...]:
    return tuple(inspect.signature(PackDetInputs).parameters['meta_keys'].default)
