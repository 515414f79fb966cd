"""Batches of an evaluation in which every image has the result that it has alone."""

from __future__ import annotations

from mmengine.config import Config


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
