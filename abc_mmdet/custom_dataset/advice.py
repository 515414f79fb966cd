"""What to do about a data set that is in order but not easy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .box_sizes import FEW_LARGE, HARDLY_THERE, LARGE, BoxSizes, median
from .dataset_check import DatasetCheck
from .splits import Split

MANY = 0.1
"""Share of the boxes from which on something is worth a change."""

MANY_FINE = 0.2
"""Share of the boxes below two cells of stride 8 from which on a finer level is worth its cost."""

SOME = 0.02
FEW_TO_LEARN = 50
FEW_TO_EVALUATE = 20
SMALL_CLASS = 32.0
"""Pixels: a class of a larger median size is not small."""


KEEP_LEVELS = (
    'Finer levels are no remedy here: new ones throw away what the pretrained weights know '
    '(docs/results.md).'
)

TRIM = (
    ' Strides 8 and 16 alone keep it, and leave FLOPs for a larger input '
    '(models/yolox_trimmed.py, docs/small_objects.md).'
)


def percent(share: float) -> str:
    """``37 %``; less than one with a digit."""
    if 0 < share < 0.0005:
        return '< 0.1 %'
    return f'{100 * share:.1f} %' if 0 < share < 0.01 else f'{100 * share:.0f} %'


def advise(dataset_check: DatasetCheck) -> list[str]:
    """Sentences, the most telling first.

    Args:
        dataset check: of all splits.
    """
    train = [split for split in dataset_check.splits if split.trains]
    others = [split for split in dataset_check.splits if not split.trains]
    advice: list[str] = []
    for split in (train or others)[:1]:
        advice += _about_resolution(dataset_check, split)
        advice += _about_small_classes(dataset_check, split.sizes)
    for split in train:
        advice += _about_training(split)
    for split in others:
        advice += _about_evaluation(split, train)
    return advice


def _about_resolution(dataset_check: DatasetCheck, split: Split) -> Iterator[str]:
    sizes = split.sizes
    if not split.at_network or not len(sizes):
        return
    enlarged = float(np.median(sizes.on_disk / np.maximum(sizes.size, 1e-6)))
    remedy = (
        f'raise it ({split.pixels_are} {enlarged:.1f} times as many pixels each way)'
        if enlarged > 1.05
        else f'{split.pixels_are} no more pixels, so {split.without_pixels}'
    )
    below = sizes.share_below(HARDLY_THERE)
    if below >= SOME:
        yield (
            f'{percent(below)} of the boxes are under {HARDLY_THERE:g} px at this input size, too '
            f'small for any network: {remedy} or do without them.'
        )
    if not dataset_check.strides:
        return
    finest = min(dataset_check.strides)
    share = sizes.share_below(finest)
    if share < MANY:
        fine = sizes.share_below(2 * finest)
        if fine >= MANY_FINE and finest > 4 and not dataset_check.train_only_strides:
            cells = (
                f'{percent(fine)} of the boxes are under {2 * finest} px, two cells of the finest '
                'level: '
            )
            if dataset_check.is_pretrained:
                yield f'{cells}{remedy}. {_for_weights(dataset_check, sizes)}'
            else:
                yield (
                    f'{cells}strides 4, 8, 16 with a slim head cost no more at inference '
                    f'({split.finer_levels}).'
                )
        return
    text = (
        f'{percent(share)} of the boxes are under {finest} px, one cell of the finest level, at '
        f'this input size: {remedy}'
    )
    if dataset_check.is_pretrained:
        yield f'{text}. {_for_weights(dataset_check, sizes)}'
    elif dataset_check.train_only_strides:
        yield (
            f'{text} or keep the level of stride {min(dataset_check.train_only_strides)} at '
            f'inference as well ({split.finer_levels}).'
        )
    elif finest > 4:
        yield f'{text} or train with a stride-4 level ({split.finer_levels}).'
    else:
        yield f'{text}.'


def _for_weights(dataset_check: DatasetCheck, sizes: BoxSizes) -> str:
    """What to do with the levels of pretrained weights."""
    has_no_large = 1 - sizes.share_below(LARGE) < FEW_LARGE and 32 in dataset_check.strides
    return KEEP_LEVELS + TRIM * has_no_large


def _about_small_classes(dataset_check: DatasetCheck, sizes: BoxSizes) -> Iterator[str]:
    named = [name for name in dataset_check.small_classes if name in sizes.classes]
    if not named or len(named) == len(sizes.classes):
        return
    medians = {name: median(sizes.of_class(name)) for name in sizes.classes}
    known = {name: size for name, size in medians.items() if size is not None}
    small = [known[name] for name in named if name in known]
    for name in named:
        if known.get(name, 0.0) > SMALL_CLASS:
            yield (
                f'{name!r} is among small_classes, but half of its boxes are over '
                f'{known[name]:.0f} px: leave it out, or add max_area.'
            )
    for name, size in known.items():
        if name not in named and small and size < min(SMALL_CLASS, float(np.median(small))):
            yield (
                f'{name!r} is not among small_classes, but smaller than most of them (half of its '
                f'boxes are under {size:.0f} px): add it.'
            )


def _about_training(split: Split) -> Iterator[str]:
    for name in split.sizes.classes:
        number = len(split.sizes.of_class(name))
        if 0 < number < FEW_TO_LEARN:
            yield (f'{name!r} has only {number} boxes to learn from: {split.show_more}.')
    yield from split.advise_training()


def _about_evaluation(split: Split, train: list[Split]) -> Iterator[str]:
    few = {
        name: number
        for name in split.sizes.classes
        if 0 < (number := len(split.sizes.of_class(name))) < FEW_TO_EVALUATE
    }
    if few:
        listed = ', '.join(f'{name!r} ({number})' for name, number in few.items())
        yield f'{split.title}: the AP of classes with so few boxes is chance: {listed}.'
    if train and len(split.sizes) and len(train[0].sizes):
        ours, theirs = split.sizes.percentile(50), train[0].sizes.percentile(50)
        if max(ours, theirs) > 1.5 * min(ours, theirs):
            yield (
                f'{split.title}: half of the boxes are under {ours:.0f} px, in training under '
                f'{theirs:.0f} px. The figures will not say how well training went; split anew.'
            )
