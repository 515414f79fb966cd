"""A short text that changes when an experiment does, and with nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from mmengine.config import Config

FIELDS = (
    *('model', 'train_dataloader', 'val_dataloader', 'val_evaluator'),
    *('train_cfg', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr'),
    *('custom_hooks', 'default_hooks', 'load_from', 'randomness', 'sync_bn'),
)
"""What a run of a study learns from and is evaluated by."""

OWN_HOOKS = ('checkpoint', 'logger', 'visualization')
"""Default hooks that a study sets itself, whatever the config says."""

FILES = ('.pth', '.py')
"""Of weights and configs, which count by their names, wherever they lie."""


def config_hash(config: Config) -> str:
    """Twelve digits for an experiment.

    Neither the order of fields, nor variables of the config that nothing reads, nor the places of
    data and weights change it.

    Examples:
        >>> one, other = Config(dict(lr=1, load_from='a/x.pth')), Config(dict(load_from='b/x.pth'))
        >>> config_hash(one) == config_hash(other)
        True
    """
    kept = {field: config[field] for field in FIELDS if config.get(field) is not None}
    if 'default_hooks' in kept:
        hooks = kept['default_hooks'].items()
        kept['default_hooks'] = {key: hook for key, hook in hooks if key not in OWN_HOOKS}
    root = str(config.get('data_root') or '').rstrip('/')
    text = json.dumps(_without_places(kept, root), sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _without_places(value: Any, root: str) -> Any:
    if isinstance(value, dict):
        return {key: _without_places(item, root) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_places(item, root) for item in value]
    if isinstance(value, str):
        if root and (value == root or value.startswith(f'{root}/')):
            return value[len(root) :].strip('/')
        if value.endswith(FILES):
            return value.rpartition('/')[2]
    return value
