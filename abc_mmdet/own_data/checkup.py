"""The data doctor: all checks of the data sets of an experiment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from abc_mmdet.apis.config_parts import innermost
from abc_mmdet.apis.preflight import check_data
from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.engine.class_names_hook import check_model
from abc_mmdet.errors import UserError
from abc_mmdet.models.dense_heads import ABCHead
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS, MODELS

from .annotation_check import check_annotations
from .box_sizes import BoxSizes
from .class_check import check_classes
from .coco_file import CocoFile
from .finding import NOTE, PROBLEM, WARNING, Finding
from .image_check import ImageFile, check_images, look_at_images, shared_images
from .model_levels import inference_strides, train_only_strides
from .network_input import NetworkInput

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@dataclass(frozen=True)
class Split:
    """One annotation file with its images, as one or several data loaders use it.

    Args:
        fields: of the config that describe it, such as ``train_dataloader.dataset``.
        file: its annotations.
        folder: of its images.
        classes: names in the order of the config.
        images: the files.
        sizes: of its boxes.
        filter_cfg: which images training leaves out.
    """

    fields: list[str]
    file: CocoFile
    folder: str
    classes: tuple[str, ...]
    images: list[ImageFile]
    sizes: BoxSizes
    filter_cfg: dict

    @property
    def trains(self) -> bool:
        return any(name.startswith(LOADERS[0]) for name in self.fields)

    @property
    def title(self) -> str:
        """Its loaders in short, such as ``val, test``."""
        return ', '.join(dict.fromkeys(name.partition('_')[0] for name in self.fields))


@dataclass
class Checkup:
    """What was found about an experiment.

    Args:
        config: path of the config.
        splits: its data sets.
        network_input: how images reach the network; None if the test pipeline does not tell.
        strides: at inference, finest first; empty if the model does not tell.
        train_only_strides: of an auxiliary head.
        small_classes: of the config, if it names any.
        findings: everything that was found.
    """

    config: str
    splits: list[Split] = field(default_factory=list)
    network_input: NetworkInput | None = None
    strides: list[int] = field(default_factory=list)
    train_only_strides: list[int] = field(default_factory=list)
    small_classes: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list)

    def number_of(self, level: str) -> int:
        """How many findings are of this level."""
        return sum(finding.level == level for finding in self.findings)

    def is_fine(self, strict: bool = False) -> bool:
        """Whether there is no problem and, if ``strict``, no warning."""
        return not (self.number_of(PROBLEM) or (strict and self.number_of(WARNING)))


def check_up(config: Config, decode: bool = True, progress: bool = False) -> Checkup:
    """Check the data sets of an experiment against each other, their files and the model.

    Args:
        config: the experiment.
        decode: read and decode every image.
        progress: show a bar in a terminal.

    Raises:
        UserError: data that does not exist, none in COCO format, or a test pipeline that cannot be
            followed.
    """
    init_default_scope(config.get('default_scope') or 'mmdet')
    checkup = Checkup(str(config.filename or 'this config'))
    described = [
        (f'{loader}.dataset', options)
        for loader in LOADERS
        if config.get(loader) is not None
        for options in innermost(config[loader].dataset)
    ]
    if not described:
        raise UserError(f'{checkup.config} has no data loader: give the config of an experiment.')
    check_data(config, *LOADERS)
    with config_mistakes(checkup.config):
        pipeline = next((o['pipeline'] for _, o in reversed(described) if o.get('pipeline')), None)
        in_coco = [(f, o) for f, o in described if _is_coco(o, checkup)]
        if not in_coco:
            raise UserError(
                f'{checkup.config} has no data set in COCO format, only '
                f'{sorted({o["type"] for _, o in described})}. Event recordings are checked when '
                'tools/dataset_converters/prophesee.py converts them.'
            )
        if pipeline:
            checkup.network_input = NetworkInput(pipeline)
    model = _model(config, checkup)
    for loader, options in in_coco:
        _add_split(checkup, loader, options, decode, progress)
    for split in checkup.splits:
        checkup.findings += _check_split(split)
        if model is not None:
            checkup.findings += _check_model(model, split)
    for train in checkup.splits:
        for other in checkup.splits:
            if train.trains and not other.trains:
                where = f'{train.title} / {other.title}'
                checkup.findings += shared_images(train.images, other.images, where)
    return checkup


def _is_coco(options: dict, checkup: Checkup) -> bool:
    kind: Any = (
        DATASETS.get(options['type']) if isinstance(options['type'], str) else options['type']
    )
    if kind is None:
        raise UserError(f'{checkup.config}: there is no data set {options["type"]}.')
    # Subclasses with a reader of their own have other fields in their files
    if getattr(kind, 'load_data_list', None) is CocoDataset.load_data_list:
        return True
    note = f'{options["type"]} does not read plain COCO files and is not checked'
    checkup.findings.append(Finding('not_checked', NOTE, checkup.config, note))
    return False


def _add_split(checkup: Checkup, field: str, options: dict, decode: bool, progress: bool) -> None:
    with config_mistakes(checkup.config):
        # As the data set itself joins paths and finds its classes; nothing is read yet
        dataset = DATASETS.build({**options, 'lazy_init': True, 'pipeline': []})
    folder, classes = dataset.data_prefix.get('img', ''), tuple(dataset.metainfo['classes'])
    for split in checkup.splits:
        if (split.file.path, split.folder, split.classes) == (dataset.ann_file, folder, classes):
            split.fields.append(field)
            return
    file = CocoFile.read(dataset.ann_file)
    images = look_at_images(file, folder, decode, progress)
    sizes = BoxSizes.of(file, classes, checkup.network_input)
    filter_cfg = {} if dataset.test_mode else dict(dataset.filter_cfg or {})
    checkup.splits.append(Split([field], file, folder, classes, images, sizes, filter_cfg))


def _check_split(split: Split) -> Iterator[Finding]:
    if not split.file.images:
        yield Finding('no_images', PROBLEM, split.file.path, 'there are no images in it')
    yield from check_annotations(split.file)
    yield from check_classes(split.file, split.classes, f'{split.fields[0]}.metainfo.classes')
    yield from check_images(split.file, split.images, split.folder)


def _model(config: Config, checkup: Checkup) -> nn.Module | None:
    if config.get('model') is None:
        return None
    try:
        with config_mistakes(checkup.config):
            model: nn.Module = MODELS.build(config.model)
    except UserError as error:
        note = f'the model cannot be built here, so its classes and levels are not known: {error}'
        checkup.findings.append(Finding('model_not_built', WARNING, 'model', note))
        return None
    checkup.strides = inference_strides(model)
    checkup.train_only_strides = train_only_strides(model)
    head = getattr(model, 'bbox_head', None)
    if isinstance(head, ABCHead):
        checkup.small_classes = head.small_classes.names
    return model


def _check_model(model: nn.Module, split: Split) -> Iterator[Finding]:
    loader = split.fields[0].removesuffix('.dataset')
    try:
        check_model(model, split.classes, loader)
    except UserError as error:
        yield Finding('model_classes', PROBLEM, f'{loader} and model', str(error))
