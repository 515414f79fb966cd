"""The test pipeline of an experiment, for pictures that are already in memory."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from abc_mmdet.apis.config_parts import common
from abc_mmdet.errors import UserError

LOADERS = ('test_dataloader', 'val_dataloader')
COLOURS = ('color', 'color_ignore_orientation')


def picture_pipeline(config: Config) -> list[dict[str, Any]]:
    """Transforms from ``img`` (BGR) to the packed input, as in testing, but without annotations.

    Raises:
        UserError: the config has no test data set, several with different pipelines, or one whose
            inputs are no colour images.
    """
    loader = next((name for name in LOADERS if config.get(name)), LOADERS[0])
    pipeline = common(config, loader, 'pipeline') or []
    transforms = [dict(transform) for transform in pipeline]
    if not transforms:
        raise UserError(
            f'{config.filename}: test_dataloader.dataset has no pipeline, so how images reach the '
            'network is not known.'
        )
    load, *others = transforms
    kind = str(load['type']).split('.')[-1]
    if not kind.startswith('LoadImage') or load.get('color_type', 'color') not in COLOURS:
        raise UserError(
            f'{config.filename}: the test pipeline begins with {load}. Detection in pictures is '
            'for detectors of colour images that begin with LoadImageFromFile; '
            'tools/analysis_tools/browse_events.py is for event recordings.'
        )
    others = [t for t in others if 'LoadAnnotations' not in str(t['type'])]
    to_float32 = load.get('to_float32', False)
    return [dict(type='mmdet.LoadImageFromNDArray', to_float32=to_float32), *others]
