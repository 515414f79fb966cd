"""Chooses an experiment for a data set, and says why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from abc_mmdet.datasets.annotations.coco_file import CocoFile
from abc_mmdet.errors import UserError
from abc_mmdet.models.small_classes import ALL, SmallClasses

from .advice import MANY, percent
from .box_sizes import BoxSizes, median
from .class_checks import boxes_per_category
from .level_choice import TWO_CELLS, choose_levels, enlarge
from .network_input import NetworkInput
from .networks import NETWORKS, choose_training, choose_weights

SMALL = 24.0
"""Pixels of the network input: classes of a smaller median size are small, and so are boxes."""

BOTH_WAYS = 0.05
"""Share of upright (or lying) images from which on the input has to hold both."""

LEAST = 20
"""Iterations, so that there is one to warm up in and one to average over."""

BUDGETS = (0.25, 8.0)
"""Inputs of half to almost three times the size; beyond, another network is the better choice."""

_LONG_EDGES = (320, 416, 512, 640, 800, 960, 1120, 1280)


@dataclass
class Recipe:
    """An experiment; ``why`` says for each field in a sentence how it came about.

    Args:
        network: a key of :data:`NETWORKS`.
        classes: names, in the order of the file.
        img_scale: width and height of the network input.
        small_classes: names or ``'all'``; None without an auxiliary task.
        max_area: of the objects of the auxiliary task, pixels² of the network input.
        levels: ``finer`` (strides 4, 8, 16, no auxiliary task), ``train_only`` (8, 16, 32, and 4
            in training), ``three`` (8, 16, 32, the auxiliary task on stride 8), ``plain`` (no
            auxiliary task) or, for fine-tuning without large objects, ``trimmed`` (8, 16, no
            auxiliary task).
        weights: file or address that the training starts from; None for from scratch.
        slow_backbone: whether the backbone's learning rate is a tenth of that of the rest.
        gray: whether the images have no colours.
        paste: whether copies of small objects are put into free places.
        from_above: whether images have no up, so that they are flipped in all directions.
        ignored: whether the training data mark regions that count neither way.
        nwd: whether boxes are compared by Wasserstein distance: small ones in the box loss on finer
            levels, else all in the auxiliary assigner.
        batch, lr, max_iters: of the training.
        why: explanations by field.
        sizes: of the training boxes, in pixels of the network input.
    """

    network: str
    classes: tuple[str, ...] = ()
    img_scale: tuple[int, int] = (0, 0)
    small_classes: tuple[str, ...] | str | None = None
    max_area: float | None = None
    levels: str = 'plain'
    weights: str | None = None
    slow_backbone: bool = False
    gray: bool = False
    paste: bool = False
    from_above: bool = False
    nwd: bool = False
    ignored: bool = False
    batch: int = 1
    lr: float = 0.0
    max_iters: int = 0
    why: dict[str, str] = field(default_factory=dict)
    sizes: BoxSizes | None = None


def choose(
    train: CocoFile,
    val: CocoFile,
    network: str,
    small_classes: Sequence[str] | None = None,
    small_by_size: bool = False,
    iterations: int | None = None,
    weights: str | None = None,
    from_above: bool = False,
    gray: bool = False,
    budget: float = 1.0,
) -> Recipe:
    """Choose everything from the annotation files.

    Args:
        train, val: the two files.
        network: a key of :data:`NETWORKS`.
        small_classes: names given by the user.
        small_by_size: the auxiliary task is about small boxes of all classes.
        iterations: of the training, given by the user.
        weights: to start from, as :func:`find_weights` gives them.
        from_above: the camera looks down.
        gray: the images have no colours.
        budget: FLOPs at inference that are allowed, as a multiple of those of strides 8, 16, 32 at
            the input that is chosen without it.

    Raises:
        UserError: too few iterations, a budget out of range, no boxes, classes that do not fit each
            other, or unknown small classes.
    """
    if iterations is not None and iterations < LEAST:
        raise UserError(f'--iterations {iterations}: give {LEAST} or more.')
    if not BUDGETS[0] <= budget <= BUDGETS[1]:
        raise UserError(
            f'--budget {budget:g}: give FLOPs at inference as a multiple of those of the plain '
            f'network, from {BUDGETS[0]:g} to {BUDGETS[1]:g}; 1.5 is an input 1.22 times as large.'
        )
    recipe = Recipe(network, weights=weights, from_above=from_above, gray=gray)
    if from_above:
        recipe.why['from_above'] = 'flips in all directions, as such images have no up'
    _choose_classes(recipe, train, val)
    choose_weights(recipe)
    on_disk = BoxSizes.of(train, recipe.classes, None)
    _choose_image_size(recipe, train, on_disk)
    recipe.sizes = sizes = _box_sizes(recipe, train)
    _choose_small(recipe, sizes, small_classes, small_by_size)
    if enlarge(recipe, sizes, budget):
        recipe.sizes = sizes = _box_sizes(recipe, train)
    choose_levels(recipe, sizes)
    _choose_paste(recipe)
    _choose_ignored(recipe, train)
    choose_training(recipe, len(train.images), iterations)
    return recipe


def _choose_ignored(recipe: Recipe, train: CocoFile) -> None:
    crowds = sum(bool(a.get('iscrowd')) for a in train.annotations)
    left_out = sum(bool(a.get('ignore')) and not a.get('iscrowd') for a in train.annotations)
    recipe.ignored = crowds > 0
    if crowds:
        recipe.why['ignored'] = (
            f'{crowds} boxes of the training data are marked as iscrowd: inside them the head is '
            'not taught that there is no object'
        )
    elif left_out:
        recipe.why['ignored'] = (
            f'{left_out} boxes are marked as ignore, not as iscrowd. MMDetection leaves them out, '
            'so that they are background; for regions that count neither way write iscrowd'
        )


def _choose_classes(recipe: Recipe, train: CocoFile, val: CocoFile) -> None:
    used = {
        name
        for file in (train, val)
        for name, number in zip(file.names, boxes_per_category(file), strict=True)
        if number
    }
    recipe.classes = tuple(name for name in train.names if name in used)
    order = tuple(name for name in val.names if name in used)
    if recipe.classes != order:
        raise UserError(
            'The two annotation files have different classes (names and order count):\n'
            f'  {train.path}: {list(recipe.classes)}\n  {val.path}: {list(order)}\n'
            'MMDetection numbers classes in the order of each file: give both the same list of '
            'categories.'
        )
    for file in (train, val):
        if not boxes_per_category(file).any():
            raise UserError(f'{file.path} has no usable box: there is nothing to learn or measure.')
    unused = [name for name in train.names if name not in used]
    recipe.why['classes'] = f'the categories of the files, in their order{_left_out(unused)}'


def _left_out(unused: list[str]) -> str:
    if not unused:
        return ''
    shown = ', '.join(unused[:5]) + (', ...' if len(unused) > 5 else '')
    return f', without those that have no box ({shown})'


def _choose_image_size(recipe: Recipe, train: CocoFile, on_disk: BoxSizes) -> None:
    limit = NETWORKS[recipe.network].longest
    sides = np.array([(image['width'], image['height']) for image in train.images], float)
    longest = float(np.median(sides.max(1)))
    own = math.ceil(longest / 32) * 32
    # Sizes grow with the long edge of the input
    wanted = TWO_CELLS / max(on_disk.percentile(100 * MANY), 1e-6) * longest
    edges = [edge for edge in _LONG_EDGES if edge < min(own, limit)] + [min(own, limit)]
    edge = next((edge for edge in edges if edge >= wanted), edges[-1])
    at_edge = on_disk.share_below(TWO_CELLS * longest / edge)
    if edge >= wanted:
        reason = f'the smallest at which 90 % of the boxes are at least {TWO_CELLS:g} px'
    elif edge == own:
        reason = f'that of the images; {percent(at_edge)} of the boxes are below {TWO_CELLS:g} px'
    else:
        reason = (
            f'as large as {NETWORKS[recipe.network].title}, can bear; the images are '
            f'{longest:g} px long, and {percent(at_edge)} of the boxes are below '
            f'{TWO_CELLS:g} px at this size'
        )
    upright = float((sides[:, 1] > sides[:, 0]).mean())
    ratio = float(np.percentile(sides.min(1) / sides.max(1), 95))
    short = min(math.ceil(ratio * edge / 32) * 32, edge)
    recipe.img_scale = (edge, short) if upright <= BOTH_WAYS else (short, edge)
    if BOTH_WAYS < upright < 1 - BOTH_WAYS:
        recipe.img_scale = (edge, edge)
        reason += '; square, as there are upright images and others'
    recipe.why['img_scale'] = f'width, height: {reason}'


def _box_sizes(recipe: Recipe, train: CocoFile) -> BoxSizes:
    resize = NetworkInput([dict(type='Resize', scale=recipe.img_scale, keep_ratio=True)])
    return BoxSizes.of(train, recipe.classes, resize)


def _choose_small(
    recipe: Recipe, sizes: BoxSizes, names: Sequence[str] | None, by_size: bool
) -> None:
    if names is not None and by_size:
        raise UserError('Give --small-classes or --small-by-size, not both.')
    medians = {name: median(sizes.of_class(name)) for name in recipe.classes}
    small = [n for n, size in medians.items() if size is not None and size < SMALL]
    listed = ', '.join(f'{n} {m:.0f}' for n, m in list(medians.items())[:12] if m is not None)
    if names is not None:
        recipe.small_classes = SmallClasses(recipe.classes, names).names
        recipe.why['small_classes'] = f'given (median sizes in pixels: {listed})'
    elif small and not by_size:
        recipe.small_classes = tuple(small)
        recipe.why['small_classes'] = (
            f'the classes whose median size is below {SMALL:g} px (in pixels: {listed})'
        )
    elif by_size or sizes.share_below(SMALL) >= MANY:
        recipe.small_classes, recipe.max_area = ALL, SMALL**2
        recipe.why['small_classes'] = (
            f'boxes up to {SMALL:g} x {SMALL:g} px of all classes, '
            f'{percent(sizes.share_below(SMALL))} of all boxes: '
            + ('asked for' if by_size else f'no class is small as a whole ({listed})')
        )
    else:
        recipe.why['small_classes'] = (
            f'none: no class has a median size below {SMALL:g} px (in pixels: {listed}) and only '
            f'{percent(sizes.share_below(SMALL))} of the boxes are smaller'
        )


def _choose_paste(recipe: Recipe) -> None:
    recipe.paste = recipe.slow_backbone and recipe.small_classes is not None
    if recipe.paste:
        recipe.why['paste'] = (
            'copies of small objects in free places, as they are few; where COCO knows none of the '
            'classes they harm (docs/results.md)'
        )
