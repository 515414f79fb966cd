"""The doctor as a user runs it: a process of its own, in good and in bad environments."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from .warm_python import python

REPOSITORY = Path(__file__).parents[1]


def consult(cwd, *options, python=sys.executable, shadow=None, **variables):
    """Run the doctor in ``cwd``; packages in the folder ``shadow`` stand before installed ones."""
    paths = [str(shadow)] if shadow else []
    environment = {k: v for k, v in os.environ.items() if not k.startswith('ABC_')}
    environment |= {'PYTHONPATH': os.pathsep.join([*paths, str(REPOSITORY)]), **variables}
    return subprocess.run(
        [str(python), '-m', 'abc_mmdet.doctor', *options],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def issues(done, section):
    return {issue['name']: issue for issue in json.loads(done.stdout)[section]}


@pytest.fixture
def dataset(tmp_path):
    annotations = tmp_path / 'data' / 'crossing' / 'annotations'
    annotations.mkdir(parents=True)
    boxes = [{'id': i, 'image_id': 1, 'category_id': 1, 'bbox': [0, 0, 5, 9]} for i in range(3)]
    content = {
        'images': [{'id': 1, 'file_name': 'a.png', 'width': 64, 'height': 48}],
        'annotations': boxes,
        'categories': [{'id': 1, 'name': 'pedestrian'}, {'id': 2, 'name': 'tram'}],
    }
    (annotations / 'train.json').write_text(json.dumps(content))
    (annotations / 'val.json').write_text('{"images": []}')
    return tmp_path


def test_where_training_works(dataset):
    gone = dataset / 'gone'
    done = consult(dataset, '--json', python=python(), ABC_HITUAV=str(gone))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ''
    assert json.loads(done.stdout)['trains'] is True

    checks = issues(done, 'checks')
    needed = ('training step', 'torchvision ops', 'image reading', 'mmdetection', 'suppression')
    assert [checks[name]['state'] for name in needed] == ['ok'] * len(needed)
    assert {'gpu', 'checkpoint loading'} <= set(checks)
    packages = issues(done, 'packages')
    assert packages['torch']['detail'].startswith(__import__('torch').__version__.split('+')[0])

    data = issues(done, 'data')
    crossing = Path('data', 'crossing', 'annotations')
    assert data[str(crossing / 'train.json')]['detail'] == '1 images, 3 boxes of pedestrian, tram'
    assert data[str(crossing / 'val.json')]['state'] == 'note'
    assert str(gone) in data['ABC_HITUAV']['detail']


def test_an_environment_without_packages(tmp_path):
    venv.create(tmp_path / 'bare', with_pip=False, symlinks=True)
    python = tmp_path / 'bare' / 'bin' / 'python'
    done = consult(tmp_path, python=python)
    assert done.returncode == 1
    assert done.stderr == ''
    for name in ('torch', 'torchvision', 'numpy', 'mmengine', 'mmcv', 'mmdet'):
        assert f'  missing  {name} ' in done.stdout
    command = next(line for line in done.stdout.splitlines() if ' -m pip install ' in line)
    assert command.split()[:4] == [str(python), '-m', 'pip', 'install']
    assert {'torch', 'torchvision', 'onedl-mmcv', 'onedl-mmdetection'} <= set(command.split())
    assert done.stdout.endswith('Training cannot work here (abc_mmdet 0.1.0).\n')


@pytest.mark.slow
@pytest.mark.parametrize(
    ('module', 'error', 'check', 'remedy'),
    [
        (
            'torchvision',
            'RuntimeError("operator torchvision::nms does not exist")',
            'torchvision ops',
            '--force-reinstall torch torchvision',
        ),
        (
            'cv2',
            'ImportError("libGL.so.1: cannot open shared object file")',
            'image reading',
            '--no-deps opencv-python-headless',
        ),
    ],
    ids=['torchvision', 'cv2'],
)
def test_a_package_that_does_not_load(tmp_path, module, error, check, remedy):
    (tmp_path / 'shadow').mkdir()
    (tmp_path / 'shadow' / f'{module}.py').write_text(f'raise {error}\n')
    done = consult(tmp_path, '--json', shadow=tmp_path / 'shadow')
    assert done.returncode == 1
    assert done.stderr == ''
    issue = issues(done, 'checks')[check]
    assert issue['state'] == 'broken'
    assert issue['detail'] in error.replace('("', ': ').replace('")', '')
    assert remedy in issue['fix']
    assert json.loads(done.stdout)['trains'] is False
