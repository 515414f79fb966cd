"""What a config and a checkpoint give for inference: detector, class names, windows of events."""

from __future__ import annotations

import re
from copy import deepcopy
from inspect import signature
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from abc_mmdet.apis.config_parts import common, of_test_data, type_name
from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.checkpoints.content import classes_of, meta_of
from abc_mmdet.checkpoints.fit import Target, load_fitting
from abc_mmdet.checkpoints.loading import read
from abc_mmdet.datasets.events import EventSequenceDataset
from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram
from abc_mmdet.errors import UserError
from abc_mmdet.utils.wrapped import leaves
from mmdet.registry import DATASETS, MODELS

LOADERS = ('test_dataloader', 'val_dataloader', 'train_dataloader')


def without_auxiliary(config: Config) -> Config:
    """A copy of an experiment whose ABC head, if it has one, has no auxiliary branch."""
    config = deepcopy(config)  # Config.copy() shares what is nested
    model = config.model
    while 'bbox_head' not in model and isinstance(model.get('detector'), dict):
        model = model['detector']  # of a SlicedDetector
    head = model.get('bbox_head')
    if isinstance(head, dict) and type_name(head) == 'ABCHead':
        head['use_auxiliary'] = False
    return config


def load_inference_model(
    config: Config, checkpoint: str, device: str | torch.device = 'cpu'
) -> tuple[nn.Module, tuple[str, ...]]:
    """The detector in evaluation mode, and its class names.

    Config and checkpoint have to have the same names. Where one of them has none, the other's
    count; of the config those of the data set's type (80 for COCO) where it names none itself.

    Raises:
        UserError: a config that cannot be built, a checkpoint of another model or other classes or
            that cannot be read, a device that is not there.
    """
    init_default_scope(config.get('default_scope', 'mmdet'))
    with config_mistakes(str(config.filename)):
        model = MODELS.build(config.model)
    loaded = read(checkpoint)
    names = _names(model, classes_of(meta_of(loaded, checkpoint)), config)
    load_fitting(loaded, Target(model, str(config.filename), names), checkpoint)
    check_device(device)
    return model.to(device).eval(), names


def check_device(device: str | torch.device) -> None:
    """Compute something on a device, and read the result.

    Raises:
        UserError: there is no such device here, or, as on ``meta``, nothing to read.
    """
    try:
        torch.ones(1, device=device).add(1).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f'device {device} cannot be used: {reason}') from error


def _names(
    model: nn.Module, of_checkpoint: tuple[str, ...] | None, config: Config
) -> tuple[str, ...]:
    """Those of the config, or of the checkpoint where the config has none for its detector."""
    number = getattr(getattr(model, 'bbox_head', None), 'num_classes', None)
    given = named_in_config(config)
    of_type = _named_by_type(config)
    if given is None and of_type is not None and number in (None, len(of_type)):
        given = of_type
    names = given or of_checkpoint
    if names is None:
        raise UserError(
            f'Neither the checkpoint nor {config.filename} names the classes: set '
            'test_dataloader.dataset.metainfo=dict(classes=(...)).'
        )
    if number not in (None, len(names)):
        raise UserError(
            f'The detector of {config.filename} has {number} classes, but there are {len(names)} '
            f'names: {list(names)}. Give the config the checkpoint was trained with.'
        )
    return names


def named_in_config(config: Config) -> tuple[str, ...] | None:
    """Class names that an experiment gives its data sets; None where it leaves that to their type.

    Raises:
        UserError: data sets side by side have different ones.
    """
    for loader in LOADERS:
        names = common(config, loader, 'metainfo', 'classes')
        if names:
            return (names,) if isinstance(names, str) else tuple(names)
    return None


def _named_by_type(config: Config) -> tuple[str, ...] | None:
    """Names that a type of data set has by itself, as the 80 of ``CocoDataset``."""
    for loader in LOADERS:
        for dataset in leaves(config[loader]['dataset']) if config.get(loader) else []:
            kind = dataset['type']
            kind = DATASETS.get(kind) if isinstance(kind, str) else kind
            names = getattr(kind, 'METAINFO', {}).get('classes')
            if names:
                return tuple(names)
    return None


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
