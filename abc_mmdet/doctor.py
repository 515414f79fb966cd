"""``abc-mmdet doctor``: what works here, what is missing and the command that mends it.

Exits with 1 when training cannot work, else with 0; ``--json`` prints the same report for
programs. Beyond the standard library everything is imported inside a check, because this module
has to run where those imports fail.
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import platform
import re
import shlex
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from abc_mmdet.utils.distributions import distributions, pip_install, requirement

from .shipped import CONFIGS
from .version import __version__

REQUIRED = ('torch', 'torchvision', 'numpy', 'pycocotools', 'mmengine', 'mmcv', 'mmdet')
OPTIONAL = {'mmpretrain': "mmpretrain's backbones", 'tensorboard': 'curves in TensorBoard'}
LITTLE_DISK = 2.0  # GiB: a few checkpoints of a detector
LARGE_JSON = 0.25  # GiB: more takes too long to read for a look


@dataclass(frozen=True)
class Issue:
    """One line of the report, with the command that mends it.

    ``state`` is ``ok``, ``note``, ``missing`` or ``broken``; the last two keep training from
    working.

    Examples:
        >>> Issue('torch', 'missing', 'not installed', fix='pip install torch').state
        'missing'
    """

    name: str
    state: str
    detail: str
    fix: str = ''


def machine() -> Iterator[Issue]:
    yield Issue('python', 'ok', f'{platform.python_version()} at {sys.executable}')
    yield Issue('platform', 'ok', platform.platform())
    affinity = getattr(os, 'sched_getaffinity', None)  # not on macOS and Windows
    detail = f'{len(affinity(0)) if affinity else os.cpu_count()} cores'
    with contextlib.suppress(AttributeError, ValueError, OSError):
        memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
        detail += f', {memory / 2**30:.1f} GiB of memory'
    yield Issue('cpu', 'ok', detail)
    free = shutil.disk_usage('.').free / 2**30
    yield Issue('disk', 'ok' if free > LITTLE_DISK else 'note', f'{free:.1f} GiB free here')
    yield Issue('configs', 'ok' if CONFIGS.is_dir() else 'note', str(CONFIGS))


def packages() -> Iterator[Issue]:
    missing = [requirement(name) for name in REQUIRED if not distributions(name)]
    for name in (*REQUIRED, *OPTIONAL):
        found = distributions(name)
        listing = ', '.join(f'{version} ({dist})' for dist, version in found.items())
        if len(found) > 1:  # both own the folder of that name
            again = shlex.join([sys.executable, '-m', 'pip', 'uninstall', '-y', *found])
            again += f' && {pip_install(next(iter(found)))}'
            yield Issue(name, 'note', f'{listing} overwrite each other, keep one', again)
        elif found:
            yield Issue(name, 'ok', listing)
        elif name in OPTIONAL:
            fix = pip_install(requirement(name))
            yield Issue(name, 'note', f'not installed; gives {OPTIONAL[name]}', fix)
        else:
            yield Issue(name, 'missing', 'not installed', pip_install(*missing))


def gpu() -> str:
    """The GPUs that torch can use. Raises if it cannot use one that is there."""
    import torch

    if torch.cuda.is_available():
        devices = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        return ', '.join(f'{d.name} ({d.total_memory / 2**30:.0f} GiB)' for d in devices)
    if shutil.which('nvidia-smi'):
        raise RuntimeError(
            f'nvidia-smi is here, but torch {torch.__version__} (CUDA {torch.version.cuda}) sees '
            'no GPU: the driver is too old for it, or it is a CPU build'
        )
    return 'none, training runs on the CPU'


def training_step() -> str:
    """Back-propagation with torch, on the GPU if there is one."""
    import torch

    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    layer = torch.nn.Conv2d(3, 4, 3).to(device)
    layer(torch.rand(2, 3, 8, 8, device=device)).square().mean().backward()
    if layer.weight.grad is None or not layer.weight.grad.isfinite().all():
        raise RuntimeError('the gradient of a convolution is not finite')
    return f'forward and backward on {device}'


def torchvision_ops() -> str:
    """A compiled op of torchvision, which fails where torchvision does not match torch."""
    import torch
    import torchvision

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]])
    kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist()
    if kept != [0, 2]:
        raise RuntimeError(f'torchvision.ops.nms keeps {kept}, not [0, 2]')
    return f'torchvision {torchvision.__version__} matches torch {torch.__version__}'


def image_reading() -> str:
    """OpenCV, some builds of which need system libraries."""
    import cv2

    return f'OpenCV {cv2.__version__}'


def mmdetection() -> str:
    """``import abc_mmdet`` as users do it, which makes ``mmdet.models`` importable."""
    importlib.import_module('abc_mmdet.registration')  # on the way here it was left out
    importlib.import_module('mmdet.models')
    return 'abc_mmdet and mmdet.models can be imported'


def suppression() -> str:
    """Non-maximum suppression as detectors call it."""
    import torch
    from mmcv.ops import batched_nms

    from abc_mmdet.utils.mmcv_ops import provider

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 9]])
    scores, classes = torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 0, 1])
    _, kept = batched_nms(boxes, scores, classes, dict(type='nms', iou_threshold=0.5))
    if kept.tolist() != [0, 2]:
        raise RuntimeError(f'mmcv.ops.batched_nms keeps {kept.tolist()}, not [0, 2]')
    return f'mmcv ops by {provider()}'


def checkpoint_loading() -> str:
    """What MMEngine writes into checkpoints, with nothing else allowed."""
    import torch
    from mmengine.logging import HistoryBuffer
    from mmengine.runner import CheckpointLoader

    from abc_mmdet.checkpoints.loading import weights_only

    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, 'checkpoint.pth'))
        torch.save({'loss': HistoryBuffer([1.0], [1])}, file)
        with weights_only():
            CheckpointLoader.load_checkpoint(file, map_location='cpu')
    return 'for testing and resuming, without code'


def attempt(check: Callable[[], str], fix: str, otherwise: str = 'broken') -> Issue:
    """Run a check, silently; whatever it raises becomes a finding in state ``otherwise``."""
    name = check.__name__.replace('_', ' ')
    silence = io.StringIO()
    try:
        with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
            return Issue(name, 'ok', check())
    except Exception as error:  # anything can be wrong with an installation
        reason = f'{type(error).__name__}: {error}'.splitlines()[0]
        return Issue(name, otherwise, re.sub(r'\x1b\[\d*m', '', reason), fix)  # no colours


def checks() -> Iterator[Issue]:
    """What training needs, as far as the packages for it are here."""
    pair = pip_install('--force-reinstall', 'torch', 'torchvision')
    if distributions('torch'):
        yield attempt(gpu, '', otherwise='note')
        yield attempt(training_step, pair)
        if distributions('torchvision'):
            yield attempt(torchvision_ops, pair)
    if all(map(distributions, REQUIRED)):
        headless = ('--force-reinstall', '--no-deps', 'opencv-python-headless')
        yield attempt(image_reading, pip_install(*headless))
        family = map(requirement, ('mmengine', 'mmcv', 'mmdet'))
        again = pip_install('--force-reinstall', '--no-deps', *family)
        yield attempt(mmdetection, again)
        yield attempt(suppression, again)
        yield attempt(checkpoint_loading, again)


def data() -> Iterator[Issue]:
    """COCO-style data sets under ``data/`` and under folders named by variables ``ABC_*``."""
    roots = [Path('data')]
    for variable, value in sorted(os.environ.items()):
        if variable.startswith('ABC_') and not Path(value).is_dir():
            yield Issue(variable, 'note', f'no such folder: {value}', f'unset {variable}')
        elif variable.startswith('ABC_'):
            roots.append(Path(value))
    found = False
    for root in roots:
        for depth in ('', '*/', '*/*/'):
            for file in sorted(root.glob(f'{depth}annotations/*.json')):
                found = True
                yield coco_file(file)
    if not found:
        command = ('-m', 'abc_mmdet', 'convert', 'synthetic-traffic', 'data/synthetic_traffic')
        fix = shlex.join([sys.executable, *command])
        yield Issue('data', 'note', f'no annotations/*.json under {Path("data").resolve()}', fix)


def coco_file(file: Path) -> Issue:
    size = file.stat().st_size / 2**30
    if size > LARGE_JSON:
        return Issue(str(file), 'ok', f'{size:.1f} GiB, not read')
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
        classes = ', '.join(c['name'] for c in content['categories'])
        counts = f'{len(content["images"])} images, {len(content["annotations"])} boxes'
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Issue(str(file), 'note', f'not in COCO format ({type(error).__name__}: {error})')
    return Issue(str(file), 'ok', f'{counts} of {classes}')


SECTIONS: dict[str, Callable[[], Iterator[Issue]]] = {
    'machine': machine,
    'packages': packages,
    'checks': checks,
    'data': data,
}


def main(argv: list[str] | None = None, program: str = 'python -m abc_mmdet.doctor') -> int:
    """Print the report; returns the exit status."""
    parser = argparse.ArgumentParser(program, description=__doc__)
    parser.add_argument('--json', action='store_true', help='print the report as JSON')
    as_json = parser.parse_args(argv).json
    warnings.simplefilter('ignore')

    report: dict[str, list[Issue]] = {}
    for title, section in SECTIONS.items():
        report[title] = []
        if not as_json:
            print(title)
        for issue in section():
            report[title].append(issue)
            if not as_json:
                print(f'  {issue.state:8} {issue.name:18} {issue.detail}', flush=True)

    issues = [issue for section in report.values() for issue in section]
    fatal = [issue for issue in issues if issue.state in ('missing', 'broken')]
    if as_json:
        sections = {title: [asdict(f) for f in section] for title, section in report.items()}
        print(json.dumps({'abc_mmdet': __version__, 'trains': not fatal, **sections}, indent=2))
        return bool(fatal)
    for headline, chosen in (
        ('To put right:', fatal),
        ('Worth a look:', [f for f in issues if f.state == 'note']),
    ):
        if chosen:
            print(headline)
        for fix in dict.fromkeys(f.fix for f in chosen if f.fix):  # each once, in order
            names = ', '.join(f.name for f in chosen if f.fix == fix)
            print(f'  {names}:\n    {fix}')
    print(f'Training {"cannot" if fatal else "can"} work here (abc_mmdet {__version__}).')
    return int(bool(fatal))


if __name__ == '__main__':
    sys.exit(main())
