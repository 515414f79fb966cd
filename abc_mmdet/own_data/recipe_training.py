"""Chooses how a network is trained: from which weights, how fast, how long."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from abc_mmdet.models.class_matching import match_classes
from mmdet.datasets import CocoDataset

from .network_sizes import NETWORKS

if TYPE_CHECKING:
    from .recipe import Recipe


def choose_weights(recipe: Recipe) -> None:
    """How fast the backbone learns from where it starts; ``weights`` and ``classes`` are known."""
    if recipe.weights is None:
        recipe.why['weights'] = 'none: from scratch, which needs far more data than fine-tuning'
        return
    matched = match_classes(recipe.classes, CocoDataset.METAINFO['classes'])
    named = ', '.join(f'{name} <- {source}' for name, source in matched.items() if source)
    recipe.slow_backbone = any(matched.values())
    recipe.why['slow_backbone'] = (
        'a tenth of the learning rate for the backbone, which knows objects like these: '
        if recipe.slow_backbone
        else 'the same learning rate for the backbone, which has seen nothing like this: '
    ) + 'measured in docs/results.md'
    recipe.why['weights'] = 'of a detector trained on COCO, if it is not yours. ' + (
        f'Class rows start from those of the same name ({named}); others from the mean of all'
        if named
        else 'No class has a counterpart in COCO: their rows start from the mean of all'
    )


def choose_training(recipe: Recipe, num_images: int, iterations: int | None) -> None:
    """Batch, learning rate and length; the size of the network's input is known.

    Args:
        recipe: gets them.
        num_images: of the training.
        iterations: given by the user.
    """
    network = NETWORKS[recipe.network]
    width, height = recipe.img_scale
    fitting = [batch for batch in network.batches if batch * width * height <= network.pixels]
    recipe.batch = fitting[0] if fitting else network.batches[-1]
    share = 1.0 if recipe.weights is None else 0.5
    recipe.lr = round(share * network.lr * math.sqrt(recipe.batch / network.batches[0]), 5)
    fewest, most = (int(share * number) for number in network.iterations)
    wanted = share * network.passes * num_images / recipe.batch
    recipe.max_iters = iterations or int(min(max(round(wanted, -2), fewest), most))
    passes = recipe.max_iters * recipe.batch / num_images
    bound = {fewest: ', the fewest proposed', most: ', the most proposed'}
    recipe.why['max_iters'] = (
        f'{passes:.3g} passes over {num_images} images in batches of {recipe.batch}'
        + (', as asked for' if iterations else bound.get(recipe.max_iters, ''))
    )
