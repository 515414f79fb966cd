"""Annotation files that can be trained and tested on as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from abc_mmdet.apis.config_parts import coco_evaluators
from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.datasets.annotations.checks import (
    PROBLEM,
    WARNING,
    Issue,
    issue_lines,
    read_whole,
)
from abc_mmdet.datasets.annotations.coco_file import CocoFile
from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.records import check_name
from abc_mmdet.utils.wrapped import leaves
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS

from .annotation_checks import check_annotations
from .class_checks import check_use
from .image_checks import check_images, look_at_images
from .usable_boxes import check_nothing_kept

MOST_HEADS = 20_000
"""Image files of a data set whose heads are read before a training, evenly spread: seconds."""

STOPS = ('missing_files', 'turned_images', 'corner_boxes', 'shifted_categories')
"""Issues with which training would stop later, or learn other boxes or classes."""


def check_annotation_files(config: Config, *loaders: str) -> list[Issue]:
    """The cheap checks of the COCO files of data loaders and of the evaluators beside them.

    Args:
        config: the experiment.
        *loaders: fields such as ``train_dataloader``; ``None`` or missing ones are passed over.

    Returns:
        What is wrong but lets training begin: boxes that are left out, categories without a class,
        ... The heads of image files are read, too.

    Raises:
        UserError: of :func:`read_whole`; a data set that cannot be built; an evaluator with the
            annotation file of other images; images that are missing or turned against their
            boxes; a loader none of whose images keeps a box.
    """
    init_default_scope(config.get('default_scope') or 'mmdet')
    names: dict[str, dict[Any, str]] = {}  # of the images of each file, by id
    seen: set[tuple[str, str | None]] = set()
    issues: list[Issue] = []
    for loader in loaders:
        if config.get(loader) is None:
            continue
        with config_mistakes(str(config.filename)):
            datasets, of_evaluator = _of_loader(config, loader), _of_evaluator(config, loader)
        nothing: list[list[Issue]] = []
        for dataset in datasets:
            path, folder = str(dataset.ann_file), str(dataset.data_prefix.get('img') or '')
            if '://' in path:
                nothing.append([])
                continue
            file = read_whole(path, folder)
            nothing.append(_nothing_kept(file, dataset))
            if (path, folder) not in seen:
                seen.add((path, folder))
                names[path] = {image['id']: image['file_name'] for image in file.images}
                issues += _of_file(file, dataset, loader)
                _stop_for([f for f in issues if f.kind in STOPS], loader)
        for path in of_evaluator:
            if path not in names and '://' not in path:
                file = read_whole(path)
                names[path] = {image['id']: image['file_name'] for image in file.images}
        needs_boxes = loader.startswith('train') or _judges_all(config, loader)
        is_all = len(nothing) == len(leaves(config[loader].dataset))
        if needs_boxes and is_all and all(nothing):
            _stop_for([issue for found in nothing for issue in found], loader)
        if not any('indices' in options for options in leaves(config[loader].dataset)):
            for path in of_evaluator:
                _check_same_images(names, [str(d.ann_file) for d in datasets], path, loader)
    return issues


def _of_file(file: CocoFile, dataset: CocoDataset, loader: str) -> list[Issue]:
    """Problems and warnings about a file, its classes in this data set and its images."""
    folder = str(dataset.data_prefix.get('img') or '')
    found = [
        *check_annotations(file),
        *check_use(file, dataset.metainfo['classes'], f'{loader}.dataset.metainfo.classes'),
    ]
    if Path(folder or '.').is_dir() and not dataset.backend_args:
        step = -(-len(file.images) // MOST_HEADS)
        some = replace(file, images=file.images[::step])
        images = look_at_images(some, folder, decode=False)
        found += [f for f in check_images(some, images, folder) if f.kind != 'duplicate_images']
    return [issue for issue in found if issue.level in (PROBLEM, WARNING)]


def _nothing_kept(file: CocoFile, dataset: CocoDataset) -> list[Issue]:
    filters = {} if dataset.test_mode else dataset.filter_cfg or {}
    return list(check_nothing_kept(file, dataset.metainfo['classes'], filters.get('min_size', 0)))


def _stop_for(issues: Sequence[Issue], loader: str) -> None:
    if issues:
        lines = [line for issue in issues for line in issue_lines(issue)]
        raise UserError('\n'.join([f'The data of {loader} is not ready.', *lines]))


def _check_same_images(
    names: dict[str, dict[Any, str]], of_loader: Sequence[str], of_evaluator: str, loader: str
) -> None:
    """Refuse an evaluator with another annotation file than that of the evaluated images.

    Raises:
        UserError: as :func:`of_file`, before the first iteration.
    """
    evaluator = _evaluator(loader)
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


def _of_loader(config: Config, loader: str) -> list[CocoDataset]:
    """The COCO data sets of a loader, as they join paths and find classes; nothing is read yet."""
    datasets = []
    for options in leaves(config[loader].dataset):
        classes = (options.get('metainfo') or {}).get('classes')
        # MMDetection takes text for the path of a list of names
        if isinstance(classes, str) and not Path(classes).is_file():
            raise UserError(
                f'{loader}.dataset.metainfo.classes={classes!r} is text, and no file. A single '
                f'class is a tuple, too, with a comma: ({classes!r},).'
            )
        kind = options['type']
        kind = DATASETS.get(kind) if isinstance(kind, str) else kind
        # Subclasses with a reader of their own have other fields in their files
        if getattr(kind, 'load_data_list', None) is CocoDataset.load_data_list:
            datasets.append(DATASETS.build({**options, 'lazy_init': True, 'pipeline': []}))
    return datasets


def _of_evaluator(config: Config, loader: str) -> list[str]:
    files = []
    for options in coco_evaluators(config, _evaluator(loader)):
        if options.get('ann_file'):
            if not Path(options['ann_file']).is_file():
                raise UserError(f'There is no annotation file {options["ann_file"]}.')
            files.append(str(options['ann_file']))
    return files


def _judges_all(config: Config, loader: str) -> bool:
    metrics = list(coco_evaluators(config, _evaluator(loader)))
    return bool(metrics) and not any(options.get('format_only') for options in metrics)


def _evaluator(loader: str) -> str:
    return loader.replace('dataloader', 'evaluator')
