"""Issues that checks of annotation files find, and the checks that training always makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from abc_mmdet.errors import UserError

from .coco_file import CocoFile, image_path

PROBLEM, WARNING, NOTE = 'problem', 'warning', 'note'
LEVELS = (PROBLEM, WARNING, NOTE)
NUM_EXAMPLES = 5


@dataclass(frozen=True)
class Issue:
    """One kind of defect in one place.

    Args:
        kind: its name, for machines, such as ``zero_area``.
        level: ``problem`` (training goes wrong, silently or not), ``warning`` (it may be meant)
            or ``note``.
        where: annotation file, folder or field of the config.
        message: what it is and what to do.
        count: how many.
        examples: the first few, as a person would look them up.

    Examples:
        >>> issue = Issue('zero_area', PROBLEM, 'train.json', 'boxes are empty', 1, ['box 7'])
        >>> list(issue_lines(issue))
        ['  - train.json: 1 boxes are empty', '      box 7']
    """

    kind: str
    level: str
    where: str
    message: str
    count: int = 1
    examples: list[str] = field(default_factory=list)


def several(
    kind: str, level: str, where: str, message: str, which: Iterable[str]
) -> Iterable[Issue]:
    """An issue about everything in ``which``; none if there is nothing in it."""
    examples = list(which)
    if examples:
        yield Issue(kind, level, where, message, len(examples), examples[:NUM_EXAMPLES])


def issue_lines(issue: Issue) -> Iterator[str]:
    """An issue with its examples."""
    number = f'{issue.count} ' if issue.examples else ''
    yield f'  - {issue.where}: {number}{issue.message}'
    yield from (f'      {example}' for example in issue.examples)
    more = issue.count - len(issue.examples)
    if issue.examples and more:
        yield f'      and {more} more'


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
    issues = list(check_entries(file))
    if issues:
        lines = [line for issue in issues for line in issue_lines(issue)]
        raise UserError('\n'.join([f'{path} is not ready for use.', *lines]))
    if folder is not None:
        for image in file.images:
            image_path(folder, image['file_name'], path)
    return file


def check_entries(file: CocoFile) -> Iterator[Issue]:
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
) -> Iterable[Issue]:
    """Values of a field that several entries have."""
    counts = Counter(entry[field] for entry in getattr(file, entries))
    return several(
        f'duplicate_{what.replace(" ", "_")}',
        PROBLEM,
        file.path,
        f'{what} that are given more than once ({consequence})',
        (f'{value} ({count} times)' for value, count in counts.items() if count > 1),
    )
