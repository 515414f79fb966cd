"""Which distributions the packages here come from, and the pip command that adds others.

Each OpenMMLab package is to be had from a maintained distribution (``onedl-*``) and an upstream
one with the same import name. They own the same folder, so they must not be mixed for one package
and should not be mixed at all. Standard library only: the doctor runs where nothing is installed.
"""

import contextlib
import importlib.metadata
import shlex
import sys
from pathlib import Path

PINS = Path(__file__).parents[2] / 'requirements' / 'constraints.txt'
PINS_PYTHON = (3, 11)
# import name -> distributions that provide it; the maintained one first, then the upstream ones
OPENMMLAB = {
    'mmengine': ('onedl-mmengine', 'mmengine', 'mmengine-lite'),
    'mmcv': ('onedl-mmcv', 'mmcv', 'mmcv-lite'),
    'mmdet': ('onedl-mmdetection', 'mmdet'),
    'mmpretrain': ('onedl-mmpretrain', 'mmpretrain'),
}
# what to add where part of the upstream family is there
UPSTREAM = {
    'mmengine': 'mmengine>=0.10.3',
    'mmcv': 'mmcv-lite>=2.0.1,<2.2',
    'mmdet': 'mmdet>=3.3',
    'mmpretrain': 'mmpretrain>=1.2',
}


def distributions(name: str) -> dict[str, str]:
    """Installed distributions that provide the package ``name``, with their versions."""
    found = {}
    for distribution in OPENMMLAB.get(name, (name,)):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[distribution] = importlib.metadata.version(distribution)
    return found


def has_upstream() -> bool:
    """Whether a part of the OpenMMLab packages here is from their upstream distributions."""
    return any(d in distributions(name) for name, family in OPENMMLAB.items() for d in family[1:])


def requirement(name: str) -> str:
    """What to install for the package ``name``, of the family that is here already."""
    if name in UPSTREAM and has_upstream():
        return UPSTREAM[name]
    return OPENMMLAB.get(name, (name,))[0]


def pip_install(*what: str) -> str:
    """The command that installs ``what`` here, with the pins of a checkout where they apply."""
    command = [sys.executable, '-m', 'pip', 'install', *what]
    if PINS.is_file() and sys.version_info >= PINS_PYTHON and not has_upstream():
        command += ['-c', str(PINS)]
    return shlex.join(command)
