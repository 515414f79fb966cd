"""Reads annotation files that have no mistake MMDetection would stumble over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from abc_mmdet.errors import UserError

from .coco_file import CocoFile
from .finding import PROBLEM, Finding, finding_lines, several
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


def check_entries(file: CocoFile) -> Iterator[Finding]:
    """What MMDetection stumbles over, or takes for something else without a word."""
    yield from several(
        'malformed_entries',
        PROBLEM,
        file.path,
        'entries without a field MMDetection reads, or with a value it cannot use: put them right '
        'or delete them',
        file.malformed,
    )
    for what, entries, key, consequence in (
        ('image ids', 'images', 'id', 'only the last image of an id is read'),
        ('annotation ids', 'annotations', 'id', 'MMDetection refuses the file'),
        ('category ids', 'categories', 'id', 'only the last name of an id is read'),
        ('category names', 'categories', 'name', 'labels shift: give each class one category'),
    ):
        yield from given_twice(file, what, entries, key, consequence)


def given_twice(
    file: CocoFile, what: str, entries: str, field: str, consequence: str
) -> Iterable[Finding]:
    """Values of a field that several entries have."""
    counts = Counter(entry[field] for entry in getattr(file, entries))
    return several(
        f'duplicate_{what.replace(" ", "_")}',
        PROBLEM,
        file.path,
        f'{what} that are given more than once ({consequence})',
        (f'{value} ({count} times)' for value, count in counts.items() if count > 1),
    )
