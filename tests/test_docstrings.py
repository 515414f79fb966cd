"""Examples in docstrings give what stands below them."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'abc_mmdet'
MODULES = [
    '.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts)
    for path in sorted(PACKAGE.rglob('*.py'))
    if '>>> ' in path.read_text()
]

WITH_EXAMPLES = [
    path
    for place in ('apis', 'checkpoints', 'engine', 'report', 'study', 'utils', 'visualization', '')
    for path in sorted((PACKAGE / place).glob('**/*.py' if place else '*.py'))
    if path.name != 'variants.py'
]


def test_there_are_some() -> None:
    assert len(MODULES) > 15


def test_every_public_class_has_one() -> None:
    """In these packages."""
    without = [
        f'{path.relative_to(PACKAGE)}: {node.name}'
        for path in WITH_EXAMPLES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith('_')
        and '>>> ' not in (ast.get_docstring(node) or '')
    ]
    assert without == []


@pytest.mark.parametrize('name', MODULES)
def test_the_documentation_shows_them_as_code(name: str) -> None:
    """Outside a section ``Examples`` (not ``Example``) the site takes ``>>>`` for a quotation."""
    tree = ast.parse((PACKAGE.parent / f'{name.replace(".", "/")}.py').read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Module):
            before, found, _ = (ast.get_docstring(node) or '').partition('>>> ')
            assert not found or 'Examples:\n' in before, node


@pytest.mark.parametrize('name', MODULES)
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    found = doctest.DocTestFinder(exclude_empty=True).find(module, name)
    with_examples = [test for test in found if test.examples]
    assert with_examples, 'the file has >>>, but no docstring has'
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in with_examples:
        assert runner.run(test).failed == 0, test.name
