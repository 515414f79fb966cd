"""Metadata, pins and the build of the package."""

import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import abc_mmdet
from abc_mmdet.distributions import UPSTREAM

REPOSITORY = Path(__file__).parents[1]


def requirements():
    """All requirements of setup.cfg, those of the extras too."""
    config = configparser.ConfigParser()
    config.read(REPOSITORY / 'setup.cfg')
    listings = [config['options']['install_requires'], *config['options.extras_require'].values()]
    return [Requirement(line) for listing in listings for line in listing.split('\n') if line]


def pins():
    lines = (REPOSITORY / 'requirements' / 'constraints.txt').read_text().splitlines()
    return dict(line.lower().split('==') for line in lines if line and not line.startswith('#'))


@pytest.mark.parametrize('requirement', requirements(), ids=str)
def test_the_pin_of_a_requirement_is_within_its_bound(requirement):
    assert requirement.specifier != SpecifierSet(''), 'has no lower bound'
    assert requirement.specifier.contains(pins()[requirement.name.lower()])


def test_pins_are_plain_versions_from_the_registry():
    for name, version in pins().items():
        assert re.fullmatch(r'[a-z0-9._-]+', name)
        assert re.fullmatch(r'[0-9][a-z0-9.]*', version), f'{name}=={version}'


def lowest(*extras):
    """What requirements/lowest.py prints for these extras."""
    command = [sys.executable, REPOSITORY / 'requirements' / 'lowest.py', ','.join(extras)]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    return done.returncode, done.stdout or done.stderr


def test_the_lowest_versions_are_the_bounds():
    code, printed = lowest('onedl', 'events', 'onnx', 'tensorboard', 'dev')
    assert code == 0
    found = {r.name: r.specifier for r in map(Requirement, printed.splitlines())}
    bounds = {}
    for requirement in requirements():
        (bound,) = requirement.specifier
        assert bound.operator == '>='
        bounds.setdefault(requirement.name, []).append(Version(bound.version))
    assert {'torch', 'numpy', 'onedl-mmcv', 'pytest'} <= set(found)
    assert found == {name: SpecifierSet(f'=={max(versions)}') for name, versions in bounds.items()}


def test_only_the_extras_asked_for_have_a_say_in_the_lowest_versions():
    assert 'torch==2.6' in lowest('onnx', 'dev')[1].splitlines()
    _, printed = lowest('dev')
    assert 'torch==2.1' in printed.splitlines() and 'onedl' not in printed
    code, printed = lowest('onyx')
    assert code == 1 and "there is no extra 'onyx', only onedl, " in printed


def test_the_upstream_versions_are_those_the_doctor_asks_for():
    lines = (REPOSITORY / 'requirements' / 'upstream.txt').read_text().splitlines()
    pinned = dict(line.split('==') for line in lines if line and not line.startswith('#'))
    asked = {r.name: r.specifier for r in map(Requirement, UPSTREAM.values())}
    assert set(pinned) == set(asked)
    assert all(asked[name].contains(version) for name, version in pinned.items())


def test_the_wheel_holds_every_module_and_builds_without_torch(tmp_path):
    pytest.importorskip('setuptools', minversion='77', reason='of the extra `dev`')
    sources = tmp_path / 'sources'
    for name in ('setup.cfg', 'pyproject.toml', 'README.md', 'LICENSE'):
        if (REPOSITORY / name).exists():
            (sources / name).parent.mkdir(exist_ok=True)
            shutil.copy(REPOSITORY / name, sources / name)
    ignore = shutil.ignore_patterns('__pycache__')
    shutil.copytree(REPOSITORY / 'abc_mmdet', sources / 'abc_mmdet', ignore=ignore)
    build = (
        'import sys; sys.modules["torch"] = sys.modules["mmcv"] = None;'
        'from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])'
    )
    subprocess.run([sys.executable, '-c', build, str(tmp_path)], cwd=sources, check=True)

    (wheel,) = tmp_path.glob('*.whl')
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith('/METADATA'))
        header = HeaderParser().parsestr(archive.read(metadata).decode())
    modules = {str(f.relative_to(sources)) for f in sources.glob('abc_mmdet/**/*.py')}
    assert {name for name in names if name.endswith('.py')} == modules
    templates = sources.glob('abc_mmdet/report/templates/*')
    assert {str(f.relative_to(sources)) for f in templates} <= set(names)
    assert header['Version'] == abc_mmdet.__version__
    assert 'onedl-mmdetection' not in ' '.join(
        line for line in header.get_all('Requires-Dist') if 'extra ==' not in line
    )


def test_make_says_which_python_it_needs(tmp_path):
    done = subprocess.run(
        ['make', 'setup', f'VENV={tmp_path / "venv"}', 'PYTHON=false'],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert 'need Python 3.11 or newer; false is missing or older' in done.stderr
    assert not (tmp_path / 'venv').exists()
