"""Extension of Griffe (mkdocs.yml): docstrings of this project, as MkDocs can read them.

A name in ``:class:`Name``` becomes a link where the reference has a place for it, else code.
Arguments that share a description (``mode, per: as in ...``) get one each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import griffe

ROLE = re.compile(r':(?:attr|class|data|func|meth|mod):`~?([\w.]+)`')
SHARED = re.compile(r'^( +)(\*{0,2}\w+(?:, \*{0,2}\w+)+)(: .*\n?(?:\1 +.*\n?)*)', re.MULTILINE)
PACKAGES = ('models', 'datasets', 'engine', 'evaluation', 'inference', 'deployment')
"""Those that have a page below docs/reference."""


class DocstringLinks(griffe.Extension):
    """Rewrite the roles once the whole package is loaded, and its public names are known."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        if pkg.path != 'abc_mmdet':
            return
        places = {
            name: f'abc_mmdet.{package}.{name}'
            for package in PACKAGES
            for name in map(str, pkg[package].exports or ())
        }

        def written(role: re.Match[str]) -> str:
            name = role[1]
            place = places.get(name.removeprefix('abc_mmdet.').rpartition('.')[2])
            return f'[`{name}`][{place}]' if place else f'`{name}`'

        for thing in _documented(pkg):
            if thing.docstring:
                text = ROLE.sub(written, thing.docstring.value)
                thing.docstring.value = SHARED.sub(_one_by_one, text)


def _one_by_one(shared: re.Match[str]) -> str:
    indent, names, description = shared.groups()
    return '\n'.join(f'{indent}{name}{description.rstrip()}' for name in names.split(', ')) + '\n'


def _documented(thing: griffe.Object) -> Iterator[griffe.Object]:
    yield thing
    for member in thing.members.values():
        if isinstance(member, griffe.Object):
            yield from _documented(member)
