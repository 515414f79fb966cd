"""A trained detector, without what only training needs."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from abc_mmdet.apis.config_parts import common, type_name
from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.datasets.wrapped import leaves
from abc_mmdet.errors import UserError
from abc_mmdet.models.plain_checkpoint import load_weights, read_checkpoint
from mmdet.registry import DATASETS, MODELS


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

    Names are those of the checkpoint; of the config where it has none; of the data set's type (80
    for COCO) where the config has none.

    Raises:
        UserError: a config that cannot be built, a checkpoint of another model or that cannot be
            read, a device that is not there.
    """
    init_default_scope(config.get('default_scope', 'mmdet'))
    with config_mistakes(str(config.filename)):
        model = MODELS.build(config.model)
    loaded = read_checkpoint(checkpoint)
    load_weights(model, loaded['state_dict'], checkpoint)
    check_device(device)
    model = model.to(device).eval()
    meta = loaded.get('meta') or {}
    of_data = meta.get('dataset_meta') or {}
    of_checkpoint = of_data.get('classes') or of_data.get('CLASSES') or meta.get('CLASSES')
    return model, _names(model, of_checkpoint, config)


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


def _names(model: nn.Module, of_checkpoint: Sequence[str] | None, config: Config) -> tuple:
    number = getattr(getattr(model, 'bbox_head', None), 'num_classes', None)
    for names in (of_checkpoint, _names_of_config(config)):
        if names is not None:
            names = (names,) if isinstance(names, str) else tuple(names)
            if number is not None and len(names) != number:
                raise UserError(
                    f'The detector has {number} classes, but {len(names)} names: {list(names)}. '
                    'Give the config the checkpoint was trained with.'
                )
            return names
    raise UserError(
        f'Neither the checkpoint nor {config.filename} names the classes: set '
        'test_dataloader.dataset.metainfo=dict(classes=(...)).'
    )


def _names_of_config(config: Config) -> Sequence[str] | None:
    for loader in ('test_dataloader', 'val_dataloader', 'train_dataloader'):
        names = common(config, loader, 'metainfo', 'classes')
        if names:
            return names
        for dataset in leaves(config[loader]['dataset']) if config.get(loader) else []:
            kind = dataset['type']
            kind = DATASETS.get(kind) if isinstance(kind, str) else kind
            names = getattr(kind, 'METAINFO', {}).get('classes')
            if names:
                return names
    return None
