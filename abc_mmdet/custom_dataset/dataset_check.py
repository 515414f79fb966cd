"""The dataset check: all checks of the data sets of an experiment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from torch import nn

from abc_mmdet.apis.config_parts import LOADERS
from abc_mmdet.apis.experiment import check_data
from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.datasets.annotations.checks import NOTE, PROBLEM, WARNING, Issue, several
from abc_mmdet.datasets.events import EventSequenceDataset
from abc_mmdet.engine.hooks.data_check_hooks import check_model
from abc_mmdet.errors import UserError
from abc_mmdet.models.dense_heads import ABCHead
from abc_mmdet.utils.wrapped import leaves
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS, MODELS

from .duplicates import shared_parts
from .network_input import NetworkInput, inference_strides, train_only_strides
from .splits import CocoSplit, EventSplit, Split

KINDS: dict[type[BaseDataset], type[CocoSplit] | type[EventSplit]] = {
    CocoDataset: CocoSplit,
    EventSequenceDataset: EventSplit,
}
"""Data sets that are known, and how they are checked."""


@dataclass
class DatasetCheck:
    """What was found about an experiment.

    Args:
        config: path of the config.
        splits: its data sets.
        network_input: how images reach the network; None if the test pipeline does not tell.
        strides: at inference, finest first; empty if the model does not tell.
        train_only_strides: of an auxiliary head.
        small_classes: of the config, if it names any.
        findings: everything that was found.
        is_pretrained: whether training starts from other weights than random ones.
    """

    config: str
    splits: list[Split] = field(default_factory=list)
    network_input: NetworkInput | None = None
    strides: list[int] = field(default_factory=list)
    train_only_strides: list[int] = field(default_factory=list)
    small_classes: tuple[str, ...] = ()
    issues: list[Issue] = field(default_factory=list)
    is_pretrained: bool = False

    def number_of(self, level: str) -> int:
        """How many findings are of this level."""
        return sum(issue.level == level for issue in self.issues)

    def is_fine(self, strict: bool = False) -> bool:
        """Whether there is no problem and, if ``strict``, no warning."""
        return not (self.number_of(PROBLEM) or (strict and self.number_of(WARNING)))


def check_dataset(config: Config, decode: bool = True, progress: bool = False) -> DatasetCheck:
    """Check the data sets of an experiment against each other, their files and the model.

    Args:
        config: the experiment.
        decode: read and decode every image and recording.
        progress: show a bar in a terminal.

    Raises:
        UserError: data that does not exist, none of a known kind, or a test pipeline that cannot be
            followed.
    """
    init_default_scope(config.get('default_scope') or 'mmdet')
    dataset_check = DatasetCheck(str(config.filename or 'this config'))
    dataset_check.is_pretrained = bool(config.get('load_from'))
    described = [
        (f'{loader}.dataset', options)
        for loader in LOADERS
        if config.get(loader) is not None
        for options in leaves(config[loader].dataset)
    ]
    if not described:
        raise UserError(
            f'{dataset_check.config} has no data loader: give the config of an experiment.'
        )
    check_data(config, *LOADERS)
    with config_mistakes(dataset_check.config):
        known = [
            (field, options, kind)
            for field, options in described
            if (kind := _kind(options, dataset_check)) is not None
        ]
        if not known:
            raise UserError(
                f'{dataset_check.config} has no data set in COCO format or of event recordings, '
                f'only {sorted({o["type"] for _, o in described})}.'
            )
        pipelines = [
            o['pipeline'] for _, o, kind in known if kind is CocoSplit and o.get('pipeline')
        ]
        if pipelines:
            dataset_check.network_input = NetworkInput(pipelines[-1])
    model = _model(config, dataset_check)
    for loader, options, kind in known:
        _add_split(dataset_check, loader, options, kind, decode, progress)
    for split in dataset_check.splits:
        dataset_check.issues += split.check()
        if model is not None:
            dataset_check.issues += _check_model(model, split)
    for train in dataset_check.splits:
        for other in dataset_check.splits:
            if train.trains and not other.trains:
                where = f'{train.title} / {other.title}'
                dataset_check.issues += shared_parts(train.parts, other.parts, where, train.unit)
    return dataset_check


def _kind(options: dict, dataset_check: DatasetCheck) -> type[CocoSplit] | type[EventSplit] | None:
    """Which checks are those of a data set; None if there are none."""
    kind: Any = (
        DATASETS.get(options['type']) if isinstance(options['type'], str) else options['type']
    )
    if kind is None:
        raise UserError(f'{dataset_check.config}: there is no data set {options["type"]}.')
    # Subclasses with a reader of their own have other fields in their files
    for dataset, split in KINDS.items():
        if getattr(kind, 'load_data_list', None) is dataset.load_data_list:
            return split
    note = f'{options["type"]} does not read plain COCO files and is not checked'
    dataset_check.issues.append(Issue('not_checked', NOTE, dataset_check.config, note))
    return None


def _add_split(
    dataset_check: DatasetCheck,
    field: str,
    options: dict,
    kind: type[CocoSplit] | type[EventSplit],
    decode: bool,
    progress: bool,
) -> None:
    with config_mistakes(dataset_check.config):
        # As the data set itself joins paths and finds its classes; nothing is read yet
        dataset = DATASETS.build({**options, 'lazy_init': True, 'pipeline': []})
        key = kind.key_of(dataset)
    for split in dataset_check.splits:
        if split.key == key:
            split.fields.append(field)
            return
    found = kind.look_at(field, dataset, dataset_check.network_input, decode, progress)
    dataset_check.splits.append(found)


def _model(config: Config, dataset_check: DatasetCheck) -> nn.Module | None:
    if config.get('model') is None:
        return None
    try:
        with config_mistakes(dataset_check.config):
            model: nn.Module = MODELS.build(config.model)
    except UserError as error:
        note = f'the model cannot be built here, so its classes and levels are not known: {error}'
        dataset_check.issues.append(Issue('model_not_built', WARNING, 'model', note))
        return None
    dataset_check.strides = inference_strides(model)
    dataset_check.train_only_strides = train_only_strides(model)
    head = getattr(model, 'bbox_head', None)
    if isinstance(head, ABCHead) and head.use_auxiliary:
        dataset_check.small_classes = head.small_classes.names
    return model


def _check_model(model: nn.Module, split: Split) -> Iterator[Issue]:
    loader = split.fields[0].removesuffix('.dataset')
    try:
        check_model(model, split.classes, loader)
    except UserError as error:
        yield Issue('model_classes', PROBLEM, f'{loader} and model', str(error))
    channels = getattr(getattr(model, 'backbone', None), 'in_channels', None)
    if isinstance(split, EventSplit) and isinstance(channels, int):
        yield from several(
            'model_channels',
            PROBLEM,
            f'{loader} and model',
            f'numbers of channels that the backbone does not take (in_channels={channels})',
            map(str, sorted(split.channels - {channels})),
        )
