"""Examples in docstrings give what stands below them."""

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


def test_there_are_some() -> None:
    assert len(MODULES) > 15


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
