"""Ground truth that travels with the samples to an evaluator without an annotation file."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from abc_mmdet.datasets.wrapped import walk
from mmdet.datasets.transforms import PackDetInputs

from .standard_config import coco_evaluators, type_name

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
