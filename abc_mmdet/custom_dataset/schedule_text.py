"""Writes down the training of a recipe."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from abc_mmdet.apis.run_length import is_even

from .networks import NETWORKS
from .recipe import Recipe

WIDTH = 98

_FROM_SCRATCH = """param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=warmup, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=warmup,
        T_max=max_iters - warmup,
        end=max_iters,
        eta_min=lr * 0.02,
        by_epoch=False),
]
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=min(20 / max_iters, 0.5),
        gamma=max_iters // 10,  # the average forgets the beginning of a short run
        update_buffers=True,
        priority=49),
]"""

_FINE_TUNING = """\
# A constant learning rate, and the mean of the weights of the second half: docs/results.md
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=warmup, by_epoch=False),
]
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='StochasticWeightAverage',
        begin_iter=max_iters // 2,
        update_buffers=True,
        priority=49),
    # YOLOX's L1 loss in the last part
    dict(type='IterModeSwitchHook', num_last_iters=max_iters * 3 // 20, skip_type_keys=()),
]"""


def schedule_text(recipe: Recipe) -> Iterator[str]:
    """Length, optimizer, learning rates and averaged weights."""
    validations = NETWORKS[recipe.network].validations
    # Rounded up: rounded down there would be one more, a few iterations before the end. In a short
    # run the last one could come right after the one before all the same: then fewer of them.
    while not is_even(-(-recipe.max_iters // validations), recipe.max_iters):
        validations -= 1
    yield f'interval = -(-max_iters // {validations})  # {validations} validations, one at the end'
    yield 'train_cfg = dict(max_iters=max_iters, val_interval=interval)'
    if recipe.weights is not None:
        yield from comment(recipe.why['slow_backbone'])
    if recipe.slow_backbone:
        yield """optim_wrapper = dict(
    type='AmpOnGpuOptimWrapper',
    optimizer=dict(lr=lr),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))"""
    else:
        yield "optim_wrapper = dict(type='AmpOnGpuOptimWrapper', optimizer=dict(lr=lr))"
    yield _FROM_SCRATCH if recipe.weights is None else _FINE_TUNING
    yield 'default_hooks = dict(checkpoint=dict(interval=interval))'
    yield 'auto_scale_lr = dict(base_batch_size=batch_size)'


def comment(text: str) -> list[str]:
    """Lines of a comment."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent='# ',
        subsequent_indent='#   ',
        break_long_words=False,
        break_on_hyphens=False,
    )
