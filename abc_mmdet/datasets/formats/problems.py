"""Mistakes in a data set, gathered so that one message has all of them."""

from __future__ import annotations

from collections import defaultdict

from abc_mmdet.datasets.annotations.checks import NUM_EXAMPLES, PROBLEM, Issue, issue_lines
from abc_mmdet.errors import UserError


class Problems:
    """Kinds of mistakes, each with places where it is.

    Args:
        where: folder of the data set.

    Examples:
        >>> problems = Problems('data')
        >>> problems.add('lines are no numbers: correct them', 'labels/a.txt:3: x')
        >>> problems.stop('YOLO')  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        abc_mmdet.errors.UserError: data was not converted ...
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self._places: dict[str, list[str]] = defaultdict(list)

    def __bool__(self) -> bool:
        return bool(self._places)

    def add(self, what: str, place: str) -> None:
        """Note a mistake.

        Args:
            what: it is, and what to do; the same words for the same mistake.
            place: file, line and value.
        """
        self._places[what].append(place)

    def stop(self, title: str) -> None:
        """End the conversion if there is a mistake.

        Raises:
            UserError: with every kind, and the first places of each.
        """
        if not self._places:
            return
        lines = [f'{self.where} was not converted from {title}, and nothing was written.']
        for what, places in self._places.items():
            issue = Issue('', PROBLEM, self.where, what, len(places), places[:NUM_EXAMPLES])
            lines += issue_lines(issue)
        raise UserError('\n'.join(lines))
