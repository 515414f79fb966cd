"""Which levels of the pyramid a data set needs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abc_mmdet.models.small_classes import ALL, SmallClasses

from .advice import MANY_FINE, percent
from .box_sizes import FEW_LARGE, LARGE, BoxSizes
from .networks import NETWORKS

if TYPE_CHECKING:
    from .recipe import Recipe

TWO_CELLS = 16.0
"""Pixels: two cells of stride 8, what boxes should have."""

TINY = 8.0
"""Pixels: below this IoU knows little more than hit or miss."""


def task_sizes(recipe: Recipe) -> np.ndarray:
    """Sizes of the training boxes of the auxiliary task, in pixels of the network input."""
    sizes = recipe.sizes
    if sizes is None or recipe.small_classes is None:
        return np.zeros(0)
    small = SmallClasses(recipe.classes, recipe.small_classes, recipe.max_area)
    return sizes.size[np.isin(sizes.label, small.ids) & (sizes.size**2 <= small.max_area)]


def enlarge(recipe: Recipe, sizes: BoxSizes, budget: float) -> bool:
    """Spend on a larger input what is allowed at inference, and what stride 32 costs for nothing.

    Args:
        recipe: gets the input and, where stride 32 goes, the levels; classes and weights are known.
        sizes: of the training boxes, in pixels of the network's input.
        budget: FLOPs at inference that are allowed, as a multiple of those on strides 8, 16, 32 at
            the input so far.

    Returns:
        Whether the size of the input was changed.
    """
    larger, divisor, trims = math.sqrt(budget), 32, False
    share = None if recipe.weights is None else NETWORKS[recipe.network].share(recipe.gray)
    if share is not None:
        without = math.sqrt(budget / share)
        above = 1 - sizes.share_below(LARGE / without)
        if above < FEW_LARGE:
            larger, divisor, trims = without, 16, True
            recipe.levels = 'trimmed'
            recipe.why['levels'] = (
                f'strides 8 and 16: {percent(above)} of the boxes are above {LARGE:g} px, and what '
                'stride 32 costs finds more small ones if it is spent on a larger input '
                '(docs/results.md)'
            )
    if larger == 1:
        return False
    reasons = [f'--budget {budget:g}'] * (budget != 1) + ['which stride 32 would cost'] * trims
    recipe.why['img_scale'] += f'; times {larger:.2f}, {" and ".join(reasons)}'
    # no more than the budget: sides are filled up to multiples
    width, height = (max(int(side * larger) // divisor, 1) * divisor for side in recipe.img_scale)
    recipe.img_scale = width, height
    return True


def choose_levels(recipe: Recipe, sizes: BoxSizes) -> None:
    """The levels, and whether boxes are compared by Wasserstein distance.

    Args:
        recipe: gets them; classes, small classes and weights are known.
        sizes: of the training boxes, in pixels of the network's input.
    """
    if recipe.levels == 'trimmed':
        return
    share = sizes.share_below(TWO_CELLS)
    if recipe.weights is not None:
        recipe.levels = 'plain'
        recipe.why['levels'] = (
            'strides 8, 16, 32, those of the pretrained weights: finer levels and other heads '
            'would throw more of them away than they gain (docs/results.md)'
        )
        return
    two_cells = f'{percent(share)} of the boxes are below {TWO_CELLS:g} px, two cells of stride 8'
    if recipe.small_classes is None:
        recipe.levels = 'plain'
        recipe.why['levels'] = 'strides 8, 16, 32 and no auxiliary task: nothing here is small'
        return
    large = 1 - sizes.share_below(LARGE)
    above = f'{percent(large)} are above {LARGE:g} px'
    is_all = recipe.max_area is None and recipe.small_classes in (ALL, recipe.classes)
    if is_all and (share < MANY_FINE or large >= FEW_LARGE):
        recipe.levels = 'plain'
        recipe.why['levels'] = (
            'strides 8, 16, 32 and no auxiliary task: every class is small, and it would repeat '
            'the main one'
        )
        return
    if share < MANY_FINE:
        recipe.levels = 'three'
        recipe.why['levels'] = f'strides 8, 16, 32, the auxiliary task on stride 8: {two_cells}'
        return
    if large < FEW_LARGE:
        recipe.levels = 'finer'
        recipe.why['levels'] = (
            f'strides 4, 8, 16: {two_cells}, and {above}. With its slim head it costs less at '
            'inference than the network of strides 8, 16, 32'
        )
        recipe.nwd = True
        recipe.why['nwd'] = 'IoU knows little of small boxes'
        return
    recipe.levels = 'train_only'
    recipe.why['levels'] = (
        f'stride 4 for the auxiliary task, in training only: {two_cells}, but {above}. At '
        'inference it is the network of strides 8, 16, 32, at its cost'
    )
    task = task_sizes(recipe)
    tiny = float((task < TINY).mean()) if len(task) else 0.0
    recipe.nwd = tiny >= MANY_FINE
    recipe.why['nwd'] = (
        f'{percent(tiny)} of the boxes of the auxiliary task are below {TINY:g} px, where IoU '
        'knows little more than hit or miss'
    )
