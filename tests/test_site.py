"""What the documentation's own build (`make docs`) does not check: MkDocs fails on dead links."""

import re
from pathlib import Path

import griffe
import pytest
import tomllib

ROOT = Path(__file__).parents[1]
ARCHITECTURE = (ROOT / 'docs/architecture.md').read_text()


@pytest.fixture(scope='module')
def package() -> griffe.Object:
    extensions = griffe.load_extensions(str(ROOT / 'docs/docstring_links.py'))
    found = griffe.load('abc_mmdet', search_paths=[ROOT], extensions=extensions)
    assert isinstance(found, griffe.Object)
    return found


def docstring(package: griffe.Object, path: str) -> str:
    return package[path].docstring.value


def test_a_public_name_in_a_docstring_is_a_link(package: griffe.Object) -> None:
    text = docstring(package, 'models.losses.box_losses.NWDBlendLoss')
    assert '[`SizeAwareIoULoss`][abc_mmdet.models.SizeAwareIoULoss]' in text
    assert '[`NWDConstantHook`][abc_mmdet.engine.NWDConstantHook]' in text


def test_a_name_with_its_module_is_the_same_link(package: griffe.Object) -> None:
    text = docstring(package, 'apis.progress.ConsoleHook')
    link = '[`abc_mmdet.evaluation.SmallObjectMetric`][abc_mmdet.evaluation.SmallObjectMetric]'
    assert link in text


def test_any_other_name_is_code(package: griffe.Object) -> None:
    text = docstring(package, 'engine.hooks.atomic_checkpoint_hook.AtomicCheckpointHook')
    assert '`CheckpointHook`' in text and ':class:' not in text and '[`CheckpointHook`]' not in text


def test_arguments_that_share_a_description_get_one_each(package: griffe.Object) -> None:
    text = docstring(package, 'models.detectors.distilled_yolox.DistilledYOLOX')
    assert '    cls_weight: of the two losses.\n    box_weight: of the two losses.\n' in text
    shared = "; the student's main head has the teacher's channels.\n"
    assert f'    *args: as of ``YOLOX``{shared}    **kwargs: as of ``YOLOX``{shared}' in text


def test_the_glossary_is_in_alphabetical_order() -> None:
    terms = re.findall(r'^## (.+)$', (ROOT / 'docs/glossary.md').read_text(), re.M)
    assert len(terms) > 30
    assert terms == sorted(terms, key=str.lower)


def test_layers_on_the_page_are_those_that_are_checked() -> None:
    settings = tomllib.loads((ROOT / 'pyproject.toml').read_text())
    (contract,) = settings['tool']['importlinter']['contracts']
    shown = ARCHITECTURE.split('from top to bottom:\n\n```\n')[1].split('\n```')[0]
    words = [re.findall(r'\w+', re.split(r' {2,}', line)[0]) for line in shown.splitlines()]
    checked = [re.findall(r'\w+', layer) for layer in contract['layers']]
    assert words == checked


def test_files_and_packages_of_the_tree_are_there() -> None:
    tree = ARCHITECTURE.split('```\n')[1]
    names = re.findall(r'(?<![\w/*.])(\w+\.py)\b', tree)
    assert len(names) > 40
    assert [name for name in names if not any(ROOT.glob(f'*/**/{name}'))] == []
    folders = set(re.findall(r'^ +(\w+)/(?: |$)', tree, re.M))
    assert folders >= {path.parent.name for path in (ROOT / 'abc_mmdet').glob('*/__init__.py')}
