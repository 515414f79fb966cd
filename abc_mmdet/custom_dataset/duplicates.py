"""Images or recordings that are there more than once."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol

from abc_mmdet.datasets.annotations.checks import PROBLEM, Issue, several


class Part(Protocol):
    """An image or a recording on disk."""

    @property
    def path(self) -> str:
        """Of the file or folder."""

    @property
    def state(self) -> str:
        """``fine``, ``missing``, ``outside`` its folder, or why it cannot be read."""

    @property
    def digest(self) -> bytes | None:
        """Of what is in it; None if not read."""


def same_content(parts: Sequence[Part]) -> Iterator[str]:
    """Paths of parts that are there under several names, those of one content together."""
    by_digest = defaultdict(set)
    for part in parts:
        if part.digest is not None:
            by_digest[part.digest].add(part.path)
    return (' = '.join(sorted(paths)) for paths in by_digest.values() if len(paths) > 1)


def shared_parts(
    train: Sequence[Part], val: Sequence[Part], where: str, what: str = 'images'
) -> Iterator[Issue]:
    """What both training and validation see, under the same path or as copies.

    Args:
        train, val: images or recordings of the two.
        where: names both of them.
        what: they are called.
    """
    paths = {os.path.realpath(part.path): part.path for part in train}
    digests = {part.digest: part.path for part in train if part.digest is not None}
    pairs = (
        (part.path, paths.get(os.path.realpath(part.path)) or digests.get(part.digest or b''))
        for part in val
        if part.state not in ('missing', 'outside')
    )
    yield from several(
        f'shared_{what}',
        PROBLEM,
        where,
        f'{what} are in both: figures on them say nothing about new {what}',
        (path if path == other else f'{path} = {other}' for path, other in pairs if other),
    )
