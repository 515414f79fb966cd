"""What the config of an event detector says about its input."""

from __future__ import annotations

import re
from inspect import signature
from typing import Any

from mmengine.config import Config

from abc_mmdet.apis.config_parts import of_test_data, type_name
from abc_mmdet.datasets.events import EventSequenceDataset
from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram
from abc_mmdet.errors import UserError

_NAME = re.compile(r'stacked_histogram_dt=(\d+)_nbins=(\d+)')


def is_of_events(config: Config) -> bool:
    """Whether the test pipeline loads clips of event recordings."""
    pipeline = of_test_data(config, 'pipeline') or []
    return any(type_name(transform) == 'LoadEventClip' for transform in pipeline)


def event_pipeline(config: Config) -> list[dict[str, Any]]:
    """Transforms from clips to packed inputs, as in testing.

    Raises:
        UserError: the config is none of event recordings.
    """
    if not is_of_events(config):
        raise UserError(
            f'{config.filename}: its test pipeline does not load event recordings '
            '(LoadEventClip). For detectors of images there is abc_mmdet.Detector.'
        )
    return [dict(transform) for transform in of_test_data(config, 'pipeline')]


def histogram_of(config: Config, count_cutoff: int = 10) -> StackedHistogram:
    """The representation that the data sets of an experiment have.

    Raises:
        UserError: it is no stacked histogram, or the cutoff is out of range.
    """
    of_dataset = signature(EventSequenceDataset).parameters
    name = of_test_data(config, 'representation') or of_dataset['representation'].default
    downsample = of_test_data(config, 'downsample') or of_dataset['downsample'].default
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise UserError(
            f'{config.filename}: representation={name!r}. Recordings are shown to networks as '
            'stacked histograms, stacked_histogram_dt=50_nbins=10.'
        )
    try:
        return StackedHistogram(int(parts[2]), int(parts[1]), count_cutoff, downsample)
    except ValueError as error:
        raise UserError(f'{config.filename}: {name}, {downsample}, count_cutoff: {error}') from None
