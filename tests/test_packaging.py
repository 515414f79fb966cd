"""Metadata, pins and the build of the package."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import abc_mmdet
from abc_mmdet.utils.distributions import UPSTREAM

REPOSITORY = Path(__file__).parents[1]
TEN_ITERATIONS = (
    'train_cfg.max_iters=10',
    'train_cfg.val_interval=10',
    'default_hooks.checkpoint.interval=10',
    'train_dataloader.batch_size=2',
    *(
        f'{loader}_dataloader.{option}'
        for loader in ('train', 'val', 'test')
        for option in ('num_workers=0', 'persistent_workers=False')
    ),
)


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
    code, printed = lowest('onedl', 'events', 'onnx', 'openvino', 'tensorboard', 'dev')
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


@pytest.fixture(scope='module')
def sources(tmp_path_factory):
    """What a build gets to see: the files of the checkout, links as links."""
    pytest.importorskip('setuptools', minversion='77', reason='of the extra `dev`')
    sources = tmp_path_factory.mktemp('sources')
    for name in ('setup.cfg', 'pyproject.toml', 'README.md', 'LICENSE', 'model-index.yml'):
        shutil.copy(REPOSITORY / name, sources / name)
    ignore = shutil.ignore_patterns('__pycache__')
    for name in ('abc_mmdet', 'configs', 'tools'):
        shutil.copytree(REPOSITORY / name, sources / name, symlinks=True, ignore=ignore)
    return sources


def build(sources, what, folder):
    """The path of what ``setuptools.build_meta.build_WHAT`` makes, without torch and mmcv."""
    script = (
        'import sys; sys.modules["torch"] = sys.modules["mmcv"] = None;'
        f'from setuptools import build_meta; print(build_meta.build_{what}(sys.argv[1]))'
    )
    command = [sys.executable, '-c', script, str(folder)]
    done = subprocess.run(command, cwd=sources, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.splitlines()[-1]


@pytest.fixture(scope='module')
def wheel(sources, tmp_path_factory):
    return build(sources, 'wheel', tmp_path_factory.mktemp('wheel'))


def shipped(sources):
    """Names in a wheel of what is not of a package: configs, tools and what describes them."""
    kinds = ('.py', '.sh', '.md', '.yml')
    files = [f for name in ('configs', 'tools') for f in sources.glob(f'{name}/**/*')]
    files = [f for f in files if f.suffix in kinds] + [sources / 'model-index.yml']
    return {f'abc_mmdet/.mim/{f.relative_to(sources).as_posix()}' for f in files}


def test_the_wheel_holds_every_module_and_builds_without_torch(sources, wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith('/METADATA'))
        header = HeaderParser().parsestr(archive.read(metadata).decode())
        link = 'abc_mmdet/.mim/tools/train.py'
        assert archive.read(link) == (sources / 'tools' / 'train.py').read_bytes()
    modules = {str(f.relative_to(sources)) for f in sources.glob('abc_mmdet/[!.]*/**/*.py')}
    modules |= {str(f.relative_to(sources)) for f in sources.glob('abc_mmdet/*.py')}
    mim = {name for name in names if name.startswith('abc_mmdet/.mim/')}
    assert mim == shipped(sources)
    assert {'configs/abc_sod_basic_100k.py', 'tools/dist_train.sh', 'configs/metafile.yml'} <= {
        name.removeprefix('abc_mmdet/.mim/') for name in mim
    }
    assert {name for name in names if name.endswith('.py')} - mim == modules
    templates = sources.glob('abc_mmdet/report/templates/*')
    assert {str(f.relative_to(sources)) for f in templates} <= set(names)
    assert header['Version'] == abc_mmdet.__version__
    minor = [f'Programming Language :: Python :: 3.{n}' for n in (10, 11, 12, 13)]
    assert set(minor) <= set(header.get_all('Classifier'))
    assert 'onedl-mmdetection' not in ' '.join(
        line for line in header.get_all('Requires-Dist') if 'extra ==' not in line
    )


@pytest.mark.slow
def test_a_wheel_of_the_source_distribution_is_the_same(sources, wheel, tmp_path):
    archive = build(sources, 'sdist', tmp_path)
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path)
    again = build(tmp_path / archive.name.removesuffix('.tar.gz'), 'wheel', tmp_path)
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert sorted(first.namelist()) == sorted(second.namelist())


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


class Environment:
    """An environment that holds the wheel, and work in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        venv.create(folder / 'venv', with_pip=False, symlinks=True)
        self.bin = folder / 'venv' / 'bin'
        (folder / 'work').mkdir()

    def run(self, program, *arguments, expected=0):
        """What a program of this environment prints, errors included."""
        # Neither the checkout nor the environment of the tests, whose installation names it
        environment = {k: v for k, v in os.environ.items() if not k.startswith(('PYTHON', 'ABC_'))}
        done = subprocess.run(
            [str(self.bin / program), *map(str, arguments)],
            cwd=self.folder / 'work',
            env={**environment, 'PYTHONWARNINGS': 'ignore', 'OMP_NUM_THREADS': '1'},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )
        assert done.returncode == expected, done.stdout
        return done.stdout

    def install(self, wheel):
        pip = [sys.executable, '-m', 'pip', '--python', self.bin / 'python', 'install']
        options = ['--no-deps', '--no-index', '--no-compile', '-qq', '--disable-pip-version-check']
        # Away from the checkout, whose abc_mmdet.egg-info would count as an installation
        environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
        command = [*map(str, pip), *options, str(wheel)]
        subprocess.run(command, check=True, cwd=self.folder, env=environment)

    def add_packages_of_the_tests(self):
        """With all else that the package needs, but for the checkout."""
        (packages,) = self.folder.glob('venv/lib/python3.*/site-packages')
        # As folders to look for packages in: files *.pth in them, one of which would add the
        # checkout, are not read
        paths = dict.fromkeys(sysconfig.get_paths()[name] for name in ('purelib', 'platlib'))
        (packages / 'of_the_tests.pth').write_text('\n'.join(paths))


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    environment = Environment(tmp_path_factory.mktemp('installed'))
    environment.install(wheel)
    environment.add_packages_of_the_tests()
    return environment


def test_without_torch_the_command_says_what_there_is(wheel, tmp_path):
    """Whatever ``--version`` and ``--help`` import, it is not what is not there."""
    environment = Environment(tmp_path)
    environment.install(wheel)
    assert environment.run('abc-mmdet', '--version') == f'abc-mmdet {abc_mmdet.__version__}\n'
    said = environment.run('abc-mmdet', '--help')
    assert environment.run('python', '-m', 'abc_mmdet', '--help') == said
    assert [line.split()[0] for line in said.splitlines() if line.startswith('  ')][:3] == [
        'abc-mmdet',
        'abc-mmdet',
        'new-config',
    ]
    assert 'Did you mean train?' in environment.run('abc-mmdet', 'trian', expected=2)
    assert '  missing  torch ' in environment.run('abc-mmdet', 'doctor', expected=1)


@pytest.mark.slow
def test_an_editable_installation_is_that_of_the_checkout(sources, tmp_path):
    environment = Environment(tmp_path)
    environment.install(build(sources, 'editable', tmp_path))
    # Named as the command it starts without torch, which is not there
    program = (
        'import sys; sys.argv = ["abc-mmdet"]\n'
        'from abc_mmdet.shipped import TOOLS, find_config\n'
        'print(find_config("abc_sod_basic_100k"), TOOLS)'
    )
    expected = [str(sources / 'configs' / 'abc_sod_basic_100k.py'), str(sources / 'tools')]
    assert environment.run('python', '-c', program).split() == expected


@pytest.mark.slow
def test_installed_it_is_whole(installed):
    where = installed.run(
        'python', '-c', 'import abc_mmdet; print(abc_mmdet.__file__)'
    ).splitlines()
    assert Path(where[-1]).is_relative_to(installed.folder)
    report = json.loads(installed.run('abc-mmdet', 'doctor', '--json'))
    assert report['trains'] is True
    said = installed.run('abc-mmdet', 'train', 'abc_sod_basic', expected=2)
    assert 'Did you mean abc_sod_basic_100k' in said and 'Traceback' not in said


@pytest.mark.slow
def test_installed_it_trains_on_data_of_ones_own(installed):
    """The two lines of the docs: a config for the data, and a training."""
    size = ('--train=6', '--val=3', '--size=128x96')
    installed.run('abc-mmdet', 'convert', 'synthetic-traffic', 'data/mine', *size)
    annotations = 'data/mine/annotations'
    said = installed.run(
        *('abc-mmdet', 'new-config', '--network=narrow', '--out=mine.py'),
        *(f'--train={annotations}/train.json', f'--val={annotations}/val.json'),
        *('--images=data/mine/train', '--val-images=data/mine/val'),
    )
    assert said.splitlines()[-2:] == ['  abc-mmdet check mine.py', '  abc-mmdet train mine.py']
    assert '# Written by: abc-mmdet new-config' in (installed.folder / 'work/mine.py').read_text()
    installed.run('abc-mmdet', 'train', 'mine.py', '--cfg-options', *TEN_ITERATIONS)
    assert (installed.folder / 'work/work_dirs/mine/iter_10.pth').is_file()


@pytest.mark.slow
def test_installed_it_trains_a_shipped_config(installed):
    size = ('--train=6', '--val=3', '--size=128x96')
    installed.run('abc-mmdet', 'convert', 'synthetic-traffic', 'data/synthetic_traffic', *size)
    name = 'small/abc_synthetic'
    said = installed.run('abc-mmdet', 'train', name, '--cfg-options', *TEN_ITERATIONS)
    assert re.search(r'^config: .*/\.mim/configs/small/abc_synthetic\.py$', said, re.M)
    assert (installed.folder / 'work/work_dirs/abc_synthetic/iter_10.pth').is_file()
