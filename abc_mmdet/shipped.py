"""Configs and tools that come with the package, in a checkout and where it was installed.

They lie in ``abc_mmdet/.mim``, as those of MMDetection do: in a checkout these are links to
``configs/`` and ``tools/``, in a wheel the files themselves. Standard library only, as the command
``abc-mmdet`` has to start at once.
"""

from __future__ import annotations

import difflib
from pathlib import Path, PurePath

from .errors import UserError, backslash_hint

_PACKAGE = Path(__file__).resolve().parent
# A checkout on Windows may hold text files in place of the links
_FOLDER = _PACKAGE / '.mim' if (_PACKAGE / '.mim' / 'tools').is_dir() else _PACKAGE.parent

CONFIGS = (_FOLDER / 'configs').resolve()
TOOLS = (_FOLDER / 'tools').resolve()


def config_names() -> list[str]:
    """Names of the shipped experiments, below ``configs/`` and without ``.py``; parts left out.

    Examples:
        >>> 'frames/finetune_yolox_s' in config_names()
        True
    """
    paths = (path.relative_to(CONFIGS) for path in sorted(CONFIGS.rglob('*.py')))
    return [p.with_suffix('').as_posix() for p in paths if '_base_' not in p.parts]


def find_config(name: str) -> str:
    """A config's path: of a file if there is one of this path, else of the shipped config.

    Args:
        name: a path, or a name below ``configs/``, with or without ``configs/`` and ``.py``.

    Raises:
        UserError: neither is there; the nearest names are in the message.

    Examples:
        >>> find_config('frames/finetune_yolox_s')  # doctest: +ELLIPSIS
        '.../configs/frames/finetune_yolox_s.py'
    """
    if Path(name).is_file():
        return name
    wanted = PurePath(name).as_posix().removeprefix('configs/').removesuffix('.py')
    shipped = config_names()
    if wanted in shipped:
        return str(CONFIGS / f'{wanted}.py')
    near = [path for path in shipped if PurePath(path).name == wanted]
    near = near or difflib.get_close_matches(wanted, shipped, n=3)
    meant = f' Did you mean {" or ".join(near)}?' if near else ''
    raise UserError(
        f'There is no config file {name} (from {Path.cwd()}), and abc_mmdet ships none of this '
        f'name.{meant} Shipped configs are in {CONFIGS}.{backslash_hint(name)}'
    )
