"""Config and checkpoint of an experiment for MMDetection without this package."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, NamedTuple

import mmengine.registry
import torch
from mmengine.config import Config
from mmengine.registry import Registry, init_default_scope
from torch import Tensor, nn

import mmdet.registry
from abc_mmdet.apis.config_parts import by_epoch, type_name
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.checkpoints.content import read_checkpoint, write_checkpoint
from abc_mmdet.checkpoints.conversion import to_plain
from abc_mmdet.checkpoints.fit import Target, load_fitting
from abc_mmdet.errors import UserError
from abc_mmdet.evaluation import SmallObjectMetric
from abc_mmdet.inference.model import named_in_config
from abc_mmdet.models import NWDBlendLoss, SizeAwareIoULoss
from abc_mmdet.utils.atomic_write import atomic_write
from mmdet.registry import HOOKS, MODELS

PACKAGE = 'abc_mmdet'
RENAMED = {  # its counterpart, and the fields that this does not have
    'FastSimOTAAssigner': ('SimOTAAssigner',),
    'CenterSimOTAAssigner': ('SimOTAAssigner', 'center_radius'),
    'SizedSimOTAAssigner': ('SimOTAAssigner', 'max_cells'),
    'MinPositivesSimOTAAssigner': ('SimOTAAssigner', 'min_positives', 'max_side'),
    'NWDOverlaps2D': ('BboxOverlaps2D', 'constant'),
    'IgnoreRegionYOLOXHead': ('YOLOXHead', 'ignore_iof_thr'),
    'DetectionVisualizer': ('DetLocalVisualizer',),
    'SmallObjectMetric': ('CocoMetric',),
    'SmallObjectSampler': ('InfiniteSampler', 'small_classes', 'max_area', 'power', 'by_epoch'),
    'AmpOnGpuOptimWrapper': ('OptimWrapper', 'loss_scale', 'dtype', 'use_fsdp', 'cpu_dtype'),
}
LOSSES_AROUND = {  # fields of ours; the others are those of the loss inside
    'SizeAwareIoULoss': ('iou_loss', SizeAwareIoULoss),
    'NWDBlendLoss': ('box_loss', NWDBlendLoss),
}
LEFT_OUT = ('SmallObjectCopyPaste',)  # and all hooks of ours: they change training alone
OWN_VARIABLES = ('data_help', 'small_classes', 'work_dir')
_NOTHING = object()


def to_mmdet_config(config: Config) -> tuple[Config, list[str]]:
    """Rewrite an experiment so that it needs MMDetection alone and finds the same objects.

    The detector keeps every layer that runs at inference. What only training used is replaced by
    its counterpart in MMDetection or left out, so the result also trains, as a plain detector.

    Args:
        config: the experiment; left as it is.

    Returns:
        The new config, and what was changed: one line per field.

    Raises:
        UserError: something that runs at inference has no counterpart; all such fields are named.
    """
    rewriting = _Rewriting(by_epoch(config))
    fields = config.to_dict()
    if 'model' in fields:  # first, as it is what a user looks for in the messages
        fields = {'model': rewriting.model(fields['model']), **_without(fields, 'model')}
    fields = rewriting.walk(_without(fields, *OWN_VARIABLES), '')
    imports = fields.pop('custom_imports', None)
    if imports:
        names = [imports['imports']] if isinstance(imports['imports'], str) else imports['imports']
        others = [name for name in names if name.split('.')[0] != PACKAGE]
        if others:
            fields['custom_imports'] = dict(imports, imports=others)
    if rewriting.problems:
        raise UserError(
            'This experiment cannot run without abc_mmdet; plain MMDetection has no counterpart of'
            '\n  ' + '\n  '.join(rewriting.problems)
        )
    fields.update(load_from=None, resume=False)
    return Config(fields), rewriting.changes


class _Rewriting:
    """One pass through a config, with what it changed and what it could not."""

    def __init__(self, by_epoch: bool) -> None:
        self.by_epoch = by_epoch  # how training counts
        self.own_types = _own_types()
        self.changes: list[str] = []
        self.problems: list[str] = []

    def walk(self, value: Any, field: str) -> Any:
        """``value`` with everything of this package replaced; ``_NOTHING`` if it is left out."""
        if isinstance(value, (list, tuple)):
            walked = [self.walk(item, f'{field}[{i}]') for i, item in enumerate(value)]
            return type(value)(item for item in walked if item is not _NOTHING)
        if not isinstance(value, dict):
            return value
        name = type_name(value)
        if name in self.own_types:
            replaced = self.replace(value, name, field)
            if replaced is _NOTHING:
                self.changes.append(f'{field}: {name} left out')
                return _NOTHING
            if replaced is None:
                self.problems.append(f'{field}: {name}')
            else:
                self.changes.append(f'{field}: {name} -> {type_name(replaced)}')
                return self.walk(replaced, field)
        items = {k: self.walk(v, f'{field}.{k}'.lstrip('.')) for k, v in value.items()}
        return {k: v for k, v in items.items() if v is not _NOTHING}

    def replace(self, value: dict, name: str, field: str) -> Any:
        """The counterpart of a dict with a type of this package; None if there is none."""
        if name == 'AtomicCheckpointHook':
            return dict(value, type='CheckpointHook')
        if name in LEFT_OUT or name in HOOKS.module_dict:
            return _NOTHING
        if name == 'SmallObjectSlice':
            crop = dict(type='RandomCrop', crop_size=tuple(value['size']))
            return dict(crop, allow_negative_crop=True)
        if name == 'ABCHead':
            return dict(value['main_head'], num_classes=len(value['classes']))
        if name in LOSSES_AROUND:
            inner, loss = LOSSES_AROUND[name]
            others = _without(value, 'type', *_parameters(loss))
            return {**(value.get(inner) or dict(type='IoULoss')), **others}
        if name == 'SmallObjectSampler' and self.by_epoch:
            return dict(type='DefaultSampler', shuffle=True)
        if name == 'SameSizeBatchSampler':
            return dict(type='BatchSampler', drop_last=False)
        if name not in RENAMED:
            return None
        counterpart, *own = RENAMED[name]
        replaced = _without(dict(value, type=counterpart), *own)
        if name == 'SmallObjectMetric':
            if 'coco' not in value.get('protocol', 'coco'):
                self.problems.append(f'{field}.protocol: {value["protocol"]}')
            return dict(_without(replaced, *_parameters(SmallObjectMetric)), classwise=True)
        return replaced

    def model(self, model: dict) -> dict:
        """What is to be changed in more than one place of a detector: neck and head."""
        model = dict(model)
        neck, head = model.get('neck'), model.get('bbox_head')
        if isinstance(neck, dict) and type_name(neck) == 'ABCPAFPN':
            model['neck'] = self.neck(neck)
            if num_aux := neck.get('num_aux_levels', 0):
                model['backbone'] = self.without_finest(model['backbone'], num_aux)
        if isinstance(head, dict) and type_name(head) == 'ABCHead':
            # The main head may have had these to itself; a plain detector's come from the model
            main = dict(head['main_head'])
            own = {key: main.pop(key) for key in ('train_cfg', 'test_cfg') if key in main}
            model.update(own, bbox_head=dict(head, main_head=main))
        return model

    def neck(self, neck: dict) -> dict:
        num_aux = neck.get('num_aux_levels', 0)
        if neck.get('gate_finest') and not num_aux:
            self.problems.append('model.neck.gate_finest: the gate runs at inference')
        self.changes.append('model.neck: ABCPAFPN -> YOLOXPAFPN')
        return dict(
            _without(neck, 'num_aux_levels', 'gate_finest'),
            type='YOLOXPAFPN',
            in_channels=list(neck['in_channels'])[num_aux:],
        )

    def without_finest(self, backbone: dict, number: int) -> dict:
        """The backbone without its ``number`` finest outputs, which were for training only."""
        outputs = backbone.get('out_indices')
        if outputs is None and type_name(backbone) not in self.own_types:
            parameters = inspect.signature(MODELS.get(backbone['type'])).parameters
            outputs = parameters['out_indices'].default if 'out_indices' in parameters else None
        if not isinstance(outputs, (list, tuple)) or len(outputs) <= number:
            self.problems.append(
                f'model.backbone.out_indices={outputs}: it does not say which outputs the finest '
                f'{number} are, that only training needed'
            )
            return backbone
        self.changes.append(f'model.backbone: {number} finest output(s) left out')
        return dict(backbone, out_indices=tuple(outputs)[number:])


def _own_types() -> set[str]:
    """Names under which this package has registered anything."""
    modules = (mmdet.registry, mmengine.registry)
    registries = [r for m in modules for r in vars(m).values() if isinstance(r, Registry)]
    return {
        name
        for registry in registries
        for name, kind in registry.module_dict.items()
        if kind.__module__.split('.')[0] == PACKAGE
    }


def _parameters(kind: type) -> list[str]:
    return list(inspect.signature(kind).parameters)


def _without(value: dict, *keys: str) -> dict:
    return {k: v for k, v in value.items() if k not in keys}


SIDE = 128  # pixels; a multiple of every stride in use


class MMDetExperiment(NamedTuple):
    """What was written, and what had to be changed for it."""

    config: Path
    checkpoint: Path
    changes: list[str]
    num_tensors: int
    num_left_out: int


def write_mmdet_experiment(config: Config, checkpoint: str, out_dir: str) -> MMDetExperiment:
    """Write an experiment so that it runs where this package is not installed.

    Before anything is written, both detectors look at the same random image, and their raw
    outputs have to be equal to the last bit.

    Args:
        config: the experiment.
        checkpoint: its weights, from a training run.
        out_dir: folder for both files; they keep their names.

    Raises:
        UserError: a part that plain MMDetection cannot run, a checkpoint of another model, or
            files that would overwrite those they were made from.
    """
    name = Path(config.filename or 'config.py').stem
    paths = Path(out_dir, f'{name}.py'), Path(out_dir, f'{Path(checkpoint).stem}.pth')
    outputs = {'the new config': paths[0], 'the new checkpoint': paths[1]}
    check_outputs(outputs, [checkpoint], config)
    target, changes = to_mmdet_config(config)
    loaded = read_checkpoint(checkpoint)
    init_default_scope(config.get('default_scope', 'mmdet'))
    with config_mistakes(str(config.filename)):
        ours, theirs = MODELS.build(config.model), MODELS.build(target.model)
    classes = named_in_config(config)
    load_fitting(loaded, Target(ours, str(config.filename), classes), checkpoint)
    plain = to_plain(loaded['state_dict'])
    # What ours has beside it is for training; whether it does without is seen in the outputs
    kept = {name: plain[name] for name in theirs.state_dict() if name in plain}
    plain_config = f'the plain detector of {config.filename}'
    load_fitting(dict(state_dict=kept), Target(theirs, plain_config), checkpoint)
    _compare(ours.eval(), theirs.eval())

    write_checkpoint(kept, loaded['meta'], str(paths[1]))
    atomic_write(paths[0], target.pretty_text.encode())
    return MMDetExperiment(*paths, changes, len(kept), len(loaded['state_dict']) - len(kept))


def _compare(ours: nn.Module, theirs: nn.Module) -> None:
    mean = getattr(ours.data_preprocessor, 'mean', None)
    channels = 3 if mean is None else len(mean)
    image = torch.rand(1, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        if not _equal(ours(image), theirs(image)):
            raise UserError(
                'The plain detector does not give the outputs of this one, so nothing was '
                'written. Does the backbone do without its finest outputs (model.backbone.'
                'out_indices) what it did with them?'
            )


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
