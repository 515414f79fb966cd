"""Annotation files that can be trained and tested on as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.datasets.wrapped import leaves
from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.evaluated_truth import check_name
from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS, METRICS

from .annotation_check import check_entries
from .checkup_report import finding_lines
from .coco_file import CocoFile
from .image_path import image_path


def read_whole(path: str, folder: str | None = None) -> CocoFile:
    """Read an annotation file that has no mistake MMDetection would stumble over, or hide.

    Entries it cannot read end in a ``KeyError`` far from the file; ids that are given twice move
    boxes to other images and classes without a word.

    Args:
        path: of the file.
        folder: of its images, which their names must not leave; None if it does not matter.

    Raises:
        UserError: the file cannot be read, or has such entries; the first ones are named.
    """
    file = CocoFile.read(path)
    if not file.images and not file.malformed:
        raise UserError(f'{path} has no images.')
    found = list(check_entries(file))
    if found:
        lines = [line for finding in found for line in finding_lines(finding)]
        raise UserError('\n'.join([f'{path} is not ready for use.', *lines]))
    if folder is not None:
        for image in file.images:
            image_path(folder, image['file_name'], path)
    return file


def check_annotation_files(config: Config, *loaders: str) -> None:
    """:func:`read_whole` for the COCO files of data loaders and of the evaluators beside them.

    Args:
        config: the experiment.
        *loaders: fields such as ``train_dataloader``; ``None`` or missing ones are passed over.

    Raises:
        UserError: of :func:`read_whole`; a data set that cannot be built; an evaluator with the
            annotation file of other images.
    """
    init_default_scope(config.get('default_scope') or 'mmdet')
    names: dict[str, dict[Any, str]] = {}  # of the images of each file, by id
    seen: set[tuple[str, str | None]] = set()
    for loader in loaders:
        if config.get(loader) is None:
            continue
        with config_mistakes(str(config.filename)):
            of_loader, of_evaluator = _of_loader(config, loader), _of_evaluator(config, loader)
        for path, folder in (*of_loader, *((path, None) for path in of_evaluator)):
            is_known = any(p == path and folder in (None, f) for p, f in seen)
            if not is_known and '://' not in path:
                file = read_whole(path, folder)
                names[path] = {image['id']: image['file_name'] for image in file.images}
                seen.add((path, folder))
        if not any('indices' in options for options in leaves(config[loader].dataset)):
            for path in of_evaluator:
                _check_same_images(names, [p for p, _ in of_loader], path, loader)


def _check_same_images(
    names: dict[str, dict[Any, str]], of_loader: Sequence[str], of_evaluator: str, loader: str
) -> None:
    """Refuse an evaluator with another annotation file than that of the evaluated images.

    Raises:
        UserError: as :func:`of_file`, before the first iteration.
    """
    evaluator = loader.replace('dataloader', 'evaluator')
    remedy = (
        f'Leave out {evaluator}.ann_file (or set it to None): the ground truth then comes from '
        f'{loader}.dataset itself, also from several in a ConcatDataset.'
    )
    known = names.get(of_evaluator)
    from_file: dict[Any, str] = {}
    for path in of_loader:
        if known is None or path not in names:
            continue  # not on this machine
        for image, name in names[path].items():
            other = from_file.setdefault(image, path)
            if other != path:
                raise UserError(
                    f'{loader}: {other} and {path} both have an image with id {image!r}, and '
                    f'{of_evaluator}, the ann_file of {evaluator}, cannot tell them. {remedy}'
                )
            if image not in known:
                raise UserError(
                    f'{of_evaluator}, the ann_file of {evaluator}, has no image {image!r}, which '
                    f'is {name} in {path}, the file of {loader}. {remedy}'
                )
            check_name(dict(id=image, file_name=known[image]), name, of_evaluator, remedy)


def _of_loader(config: Config, loader: str) -> list[tuple[str, str]]:
    files = []
    for options in leaves(config[loader].dataset):
        kind = options['type']
        kind = DATASETS.get(kind) if isinstance(kind, str) else kind
        # Subclasses with a reader of their own have other fields in their files
        if getattr(kind, 'load_data_list', None) is CocoDataset.load_data_list:
            # As the data set itself joins paths; nothing is read yet
            dataset = DATASETS.build({**options, 'lazy_init': True, 'pipeline': []})
            files.append((str(dataset.ann_file), str(dataset.data_prefix.get('img') or '')))
    return files


def _of_evaluator(config: Config, loader: str) -> list[str]:
    evaluators = config.get(loader.replace('dataloader', 'evaluator')) or []
    files = []
    for options in [evaluators] if isinstance(evaluators, dict) else evaluators:
        kind = METRICS.get(options['type']) if isinstance(options['type'], str) else options['type']
        if options.get('ann_file') and isinstance(kind, type) and issubclass(kind, CocoMetric):
            if not Path(options['ann_file']).is_file():
                raise UserError(f'There is no annotation file {options["ann_file"]}.')
            files.append(str(options['ann_file']))
    return files
