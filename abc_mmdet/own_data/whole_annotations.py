"""Annotation files that can be trained and tested on as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.datasets.wrapped import leaves
from abc_mmdet.errors import UserError
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
        UserError: of :func:`read_whole`; a data set that cannot be built.
    """
    init_default_scope(config.get('default_scope') or 'mmdet')
    seen: set[tuple[str, str | None]] = set()
    for loader in loaders:
        if config.get(loader) is None:
            continue
        with config_mistakes(str(config.filename)):
            files = [*_of_loader(config, loader), *_of_evaluator(config, loader)]
        for path, folder in files:
            is_known = any(p == path and folder in (None, f) for p, f in seen)
            if not is_known and '://' not in path:
                read_whole(path, folder)
                seen.add((path, folder))


def _of_loader(config: Config, loader: str) -> Iterator[tuple[str, str | None]]:
    for options in leaves(config[loader].dataset):
        kind = options['type']
        kind = DATASETS.get(kind) if isinstance(kind, str) else kind
        # Subclasses with a reader of their own have other fields in their files
        if getattr(kind, 'load_data_list', None) is CocoDataset.load_data_list:
            # As the data set itself joins paths; nothing is read yet
            dataset = DATASETS.build({**options, 'lazy_init': True, 'pipeline': []})
            yield str(dataset.ann_file), str(dataset.data_prefix.get('img') or '')


def _of_evaluator(config: Config, loader: str) -> Iterator[tuple[str, str | None]]:
    evaluators = config.get(loader.replace('dataloader', 'evaluator')) or []
    for options in [evaluators] if isinstance(evaluators, dict) else evaluators:
        kind = METRICS.get(options['type']) if isinstance(options['type'], str) else options['type']
        if options.get('ann_file') and isinstance(kind, type) and issubclass(kind, CocoMetric):
            if not Path(options['ann_file']).is_file():
                raise UserError(f'There is no annotation file {options["ann_file"]}.')
            yield str(options['ann_file']), None
