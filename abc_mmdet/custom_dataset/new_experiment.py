"""From annotation files to a config on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mmengine.registry import init_default_scope

from abc_mmdet.apis.experiment import load_experiment
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.datasets.annotations.checks import PROBLEM, WARNING, Issue, issue_lines
from abc_mmdet.datasets.annotations.coco_file import CocoFile, leaves
from abc_mmdet.errors import UserError
from mmdet.registry import MODELS

from .annotation_checks import check_annotations
from .duplicates import shared_parts
from .image_checks import are_gray, check_images, look_at_images
from .networks import find_weights
from .recipe import Recipe, choose
from .recipe_text import DataPaths, config_text
from .usable_boxes import check_nothing_kept

STOPS = (
    'malformed_entries',
    'duplicate_image_ids',
    'duplicate_annotation_ids',
    'duplicate_category_ids',
    'duplicate_category_names',
    'missing_files',
    'outside_folder',
    'turned_images',
    'corner_boxes',
    'shifted_categories',
    'no_usable_box',
)
"""Issues with which training could not begin, or would learn shifted labels or nothing."""


@dataclass(frozen=True)
class NewExperiment:
    """What was written.

    Args:
        path: of the config.
        recipe: its choices.
        findings: problems and warnings about the data; none of :data:`STOPS`.
    """

    path: Path
    recipe: Recipe
    issues: list[Issue]


def write_experiment(
    out: Path,
    configs: Path,
    train: str,
    val: str,
    images: Sequence[str],
    val_images: str | None = None,
    network: str = 's',
    small_classes: Sequence[str] | None = None,
    small_by_size: bool = False,
    iterations: int | None = None,
    weights: str | None = None,
    from_above: bool = False,
    budget: float = 1.0,
    command: str = 'tools/new_config.py',
    overwrite: bool = False,
) -> NewExperiment:
    """Check two COCO files and write a config for them.

    Args:
        out: the config to write.
        configs: the folder of our configs.
        train, val: annotation files.
        images: folders of the images; each split takes the one that has its files.
        val_images: the folder of the validation images.
        network, small_classes, small_by_size, iterations: as in :func:`choose`.
        from_above, budget: as in :func:`choose`.
        weights: that training starts from, as in :func:`find_weights`.
        command: that was given, for the first line of the config.
        overwrite: replace ``out`` if it exists.

    Raises:
        UserError: files that are missing or not COCO's, data with which training could not begin,
            or a config that exists.
    """
    if out.suffix != '.py':
        raise UserError(f'--out {out}: the name of a config ends in .py.')
    if out.exists() and not overwrite:
        raise UserError(f'{out} exists: name another --out, or pass --overwrite.')
    check_outputs({'--out': out}, [train, val, *([weights] if weights else [])])
    init_default_scope('mmdet')
    weights = find_weights(network, weights)
    train_file, val_file = CocoFile.read(train), CocoFile.read(val)
    train_folder = _folder_of(train_file, images)
    val_folder = _folder_of(val_file, [val_images] if val_images else images)
    issues = _issues(train_file, train_folder, val_file, val_folder)
    stops = [issue for issue in issues if issue.kind in STOPS]
    if stops:
        lines = [line for issue in stops for line in issue_lines(issue)]
        raise UserError('\n'.join(['The data is not ready for training.', *lines]))
    recipe = choose(
        train_file,
        val_file,
        network,
        small_classes,
        small_by_size,
        iterations,
        weights,
        from_above,
        are_gray(train_file, train_folder),
        budget,
    )
    seen_from = os.path.abspath(out.parent)
    base = os.path.abspath(configs)
    if os.path.commonpath([seen_from, os.path.dirname(base)]) == os.path.dirname(base):
        base = os.path.relpath(base, seen_from)  # a config in the checkout moves with it
    text = config_text(recipe, _paths(train, val, train_folder, val_folder), base, command)
    _write(out, text)
    return NewExperiment(out, recipe, issues)


def _folder_of(file: CocoFile, folders: Sequence[str]) -> str:
    """The folder that has most of a file's images."""
    missing = [folder for folder in folders if not os.path.isdir(folder)]
    if missing:
        raise UserError(f'There is no folder {missing[0]} of images (from {Path.cwd()}).')
    names = [image['file_name'] for image in file.images]
    if not names:
        raise UserError(f'{file.path} has no images.')
    return max(folders, key=lambda f: sum(_is_there(f, n) for n in names))


def _is_there(folder: str, name: str) -> bool:
    return not leaves(folder, name) and os.path.isfile(os.path.join(folder, name))


def _issues(train: CocoFile, train_folder: str, val: CocoFile, val_folder: str) -> list[Issue]:
    train_images = look_at_images(train, train_folder, decode=False)
    val_images = look_at_images(val, val_folder, decode=False)
    found = [
        *check_annotations(train),
        *check_nothing_kept(train),
        *check_images(train, train_images, train_folder),
        *check_annotations(val),
        *check_nothing_kept(val),
        *check_images(val, val_images, val_folder),
        *shared_parts(train_images, val_images, f'{train.path} / {val.path}'),
    ]
    return [issue for issue in found if issue.level in (PROBLEM, WARNING)]


def _paths(train: str, val: str, train_images: str, val_images: str) -> DataPaths:
    given = [train, val, train_images, val_images]
    if any(map(os.path.isabs, given)):
        given = list(map(os.path.abspath, given))
    folders = [*map(os.path.dirname, given[:2]), *given[2:]]
    root = os.path.commonpath([os.path.normpath(folder) for folder in folders]) or '.'
    if root == os.path.sep:  # nothing in common: data_root could not move it
        return DataPaths('', *given[:2], *(f'{folder.rstrip("/")}/' for folder in given[2:]))
    below = [os.path.relpath(path, root) for path in given]
    images = ['' if folder == '.' else f'{folder}/' for folder in below[2:]]
    return DataPaths(f'{root}/', *below[:2], *images)


def _write(out: Path, text: str) -> None:
    """Write a config that loads and whose model can be built, or nothing."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _partial(out) as partial:
            partial.write_text(text)
            config = load_experiment(str(partial))
            with config_mistakes(str(out)):
                MODELS.build(config.model)
            os.replace(partial, out)
    except OSError as error:
        raise UserError(f'cannot write {out}: {error.strerror or error}') from error


@contextmanager
def _partial(out: Path) -> Iterator[Path]:
    """A path beside ``out`` at which nothing is left behind; a config's name ends in ``.py``."""
    partial = out.with_name(f'{out.stem}_partial_{os.getpid()}.py')
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)
