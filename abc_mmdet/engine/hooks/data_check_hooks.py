"""Stops a run whose data do not fit: other classes than the model has, or no box to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mmengine
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Dataset

from abc_mmdet.errors import UserError
from abc_mmdet.utils.wrapped import leaves, walk
from mmdet.datasets import CocoDataset, Objects365V1Dataset
from mmdet.registry import HOOKS


@HOOKS.register_module()
class ClassNamesHook(Hook):
    """Compares class names, order included, before the first iteration.

    These lists have to agree: ``classes`` of the model, ``metainfo.classes`` of every data set,
    ``classes`` of transforms, and the categories of a COCO annotation file. MMDetection's
    ``CocoDataset`` labels boxes in the order of the *file*, whatever the order of
    ``metainfo.classes``, and leaves out names that the file does not know: both shift labels
    without a word.

    Models without ``classes`` (any head but :class:`ABCHead`) are checked by the number of their
    classes, and a class has the same number in validation as in training.

    Raises:
        UserError: two of the lists differ; both are in the message.

    Examples:
        >>> config = dict(default_hooks=dict(class_names=dict(type='ClassNamesHook')))
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._agreed: set[str] = set()  # loaders already compared: validation comes round again
        self._trained: Sequence[str] = ()

    def before_train(self, runner: Runner) -> None:
        self._check(runner, runner.train_dataloader, 'train_dataloader')
        if runner.val_loop is not None:
            self._check(runner, runner.val_dataloader, 'val_dataloader')

    def before_val(self, runner: Runner) -> None:
        self._check(runner, runner.val_dataloader, 'val_dataloader')

    def before_test(self, runner: Runner) -> None:
        self._check(runner, runner.test_dataloader, 'test_dataloader')

    def _check(self, runner: Runner, loader: DataLoader, field: str) -> None:
        if field in self._agreed:
            return
        names = getattr(loader.dataset, 'metainfo', {}).get('classes')
        if names is None:
            raise UserError(
                f'{field}.dataset has no class names: add metainfo=dict(classes=(...)) to it.'
            )
        check_model(runner.model, names, field)
        check_same_numbers(self._trained, names, field)
        if field == 'train_dataloader':
            self._trained = tuple(names)
        check_transforms(loader.dataset, names, field)
        for dataset in leaves(loader.dataset):
            if isinstance(dataset, CocoDataset):
                check_annotation_file(dataset)
        self._agreed.add(field)


def check_model(model: nn.Module, names: Sequence[str], field: str) -> None:
    """Compare every detection head in ``model`` with the class names of a data set."""
    for module in model.modules():
        head = getattr(module, 'bbox_head', None)
        classes = getattr(head, 'classes', None)
        if classes is not None and tuple(classes) != tuple(names):
            raise UserError(
                'The model and the data set have different classes (names and order count).\n'
                f'  model.bbox_head.classes:          {list(classes)}\n'
                f'  {field}.dataset classes: {list(names)}\n'
                'Give both the same tuple, best through one variable in the config.'
            )
        num_classes = getattr(head, 'num_classes', len(names))
        if num_classes != len(names):
            raise UserError(
                f'model.bbox_head.num_classes={num_classes}, but {field}.dataset has '
                f'{len(names)} classes: {list(names)}. Make them equal.'
            )


def check_same_numbers(trained: Sequence[str], names: Sequence[str], field: str) -> None:
    """Compare the numbers of the classes that two data sets share."""
    moved = [n for n in names if n in trained and list(names).index(n) != list(trained).index(n)]
    if moved:
        raise UserError(
            f'{moved[0]!r} is another class in training than in {field}.dataset: the order counts, '
            'a detector knows classes by number.\n'
            f'  train_dataloader.dataset classes: {list(trained)}\n'
            f'  {field}.dataset classes: {list(names)}\n'
            'Give both the same tuple, best through one variable in the config; categories have '
            'to stand in that order in both annotation files.'
        )


def check_transforms(dataset: Dataset, names: Sequence[str], field: str) -> None:
    """Compare the class names that transforms were given with those of the data set."""
    for _, part in walk(dataset):
        pipeline = getattr(part, 'pipeline', [])
        for transform in getattr(pipeline, 'transforms', pipeline):
            classes = getattr(transform, 'classes', None)
            if classes is not None and tuple(classes) != tuple(names):
                raise UserError(
                    f'{type(transform).__name__} in {field}.dataset and the data set itself have '
                    'different classes (names and order count).\n'
                    f'  classes of the transform: {list(classes)}\n'
                    f'  classes of the data set:  {list(names)}\n'
                    'Give both the same tuple, best through one variable in the config.'
                )


def check_annotation_file(dataset: CocoDataset) -> None:
    """Compare the classes of a COCO data set with the categories of its annotation file."""
    names = list(dataset.metainfo['classes'])
    categories = mmengine.load(dataset.ann_file, backend_args=dataset.backend_args)['categories']
    if isinstance(dataset, Objects365V1Dataset):  # which sorts them itself
        categories = sorted(categories, key=lambda category: category['id'])
    in_file_order = [c['name'] for c in categories if c['name'] in names]
    if in_file_order != names:
        raise UserError(
            f'The classes of the data set do not match its annotation file {dataset.ann_file}.\n'
            f'  classes in the config:   {names}\n'
            f'  of these, in the file:   {in_file_order}\n'
            f'  all names in the file:   {[c["name"] for c in categories]}\n'
            'MMDetection labels boxes in the order of the file: use the names as they stand '
            'there, in that order.'
        )


@HOOKS.register_module()
class KeptBoxesHook(Hook):
    """Looks for a box that counts, in data sets of any kind, before the first iteration.

    The first image usually has one; where none has, boxes were crowds, outside their images, of
    other classes or ids, and training would run to its end without a loss of class or box. The
    tools name the reason for COCO files; this is for all others.

    Raises:
        UserError: no image or frame of the training data keeps a box.

    Examples:
        >>> config = dict(default_hooks=dict(kept_boxes=dict(type='KeptBoxesHook')))
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        datasets = leaves(runner.train_dataloader.dataset)
        if datasets and not any(_has_box(dataset) for dataset in datasets):
            kinds = sorted({type(dataset).__name__ for dataset in datasets})
            raise UserError(
                f'train_dataloader.dataset ({", ".join(kinds)}, '
                f'{sum(map(len, datasets))} samples): no image keeps a box, so there is nothing to '
                'learn. Boxes are left out that are crowds or ignored, without area, outside their '
                'image or of a class that metainfo.classes does not name; '
                'tools/analysis_tools/check_dataset.py says which.'
            )


def _has_box(dataset: Any) -> bool:
    """Whether a data set has a box that counts, or is of a kind that does not tell."""
    if not hasattr(dataset, 'get_data_info'):
        return True
    is_known = len(dataset) == 0
    for position in range(len(dataset)):
        info = dataset.get_data_info(position)
        instances: Sequence[dict] | None = info.get('instances')
        frames: Sequence[dict] | None = info.get('frames')
        if instances is None and frames is None:
            continue
        is_known = True
        if any(not instance.get('ignore_flag') for instance in instances or ()):
            return True
        if any(len(frame['bboxes']) for frame in frames or ()):
            return True
    return not is_known
