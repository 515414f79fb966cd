"""What a check has found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

PROBLEM, WARNING, NOTE = 'problem', 'warning', 'note'
LEVELS = (PROBLEM, WARNING, NOTE)
NUM_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One kind of defect in one place.

    Args:
        kind: its name, for machines, such as ``zero_area``.
        level: ``problem`` (training goes wrong, silently or not), ``warning`` (it may be meant)
            or ``note``.
        where: annotation file, folder or field of the config.
        message: what it is and what to do.
        count: how many.
        examples: the first few, as a person would look them up.
    """

    kind: str
    level: str
    where: str
    message: str
    count: int = 1
    examples: list[str] = field(default_factory=list)


def several(
    kind: str, level: str, where: str, message: str, which: Iterable[str]
) -> Iterable[Finding]:
    """A finding about everything in ``which``; none if there is nothing in it."""
    found = list(which)
    if found:
        yield Finding(kind, level, where, message, len(found), found[:NUM_EXAMPLES])


def finding_lines(finding: Finding) -> Iterator[str]:
    """A finding with its examples."""
    number = f'{finding.count} ' if finding.examples else ''
    yield f'  - {finding.where}: {number}{finding.message}'
    yield from (f'      {example}' for example in finding.examples)
    more = finding.count - len(finding.examples)
    if finding.examples and more:
        yield f'      and {more} more'
