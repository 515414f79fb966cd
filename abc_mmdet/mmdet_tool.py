"""Runs one of MMDetection's own tools: ``python -m abc_mmdet.mmdet_tool NAME [ARGUMENTS]``.

MMDetection's tools import ``mmdet.models`` before they read a config, which fails with an mmcv
without compiled ops, whatever the config imports. Started from here they find the ops of
:mod:`abc_mmdet.utils.mmcv_ops`. ``NAME`` is a path below MMDetection's ``tools`` folder, with or
without ``.py``: ``misc/print_config``, ``analysis_tools/browse_dataset``; a file name alone
(``get_flops``) is enough where only one tool has it.

Checkpoints run no code here, unless ``--trust`` stands before ``NAME``.
"""

import runpy
import sys
from pathlib import Path

import mmdet
from abc_mmdet.apis.user_messages import user_messages
from abc_mmdet.checkpoints.loading import trust_checkpoints

from .errors import UserError


def find_tool(name: str) -> Path:
    """The script of a tool of the installed MMDetection.

    Raises:
        UserError: MMDetection was installed without its tools, or has none of this name.
    """
    package = Path(mmdet.__file__).parent
    # pip installs keep the tools in .mim; a source checkout has them beside the package
    folders = [f for f in (package / '.mim' / 'tools', package.parent / 'tools') if f.is_dir()]
    if not folders:
        raise UserError(f'The MMDetection in {package} was installed without its tools.')
    wanted = name.removesuffix('.py')
    tools = {
        path.relative_to(folders[0]).with_suffix('').as_posix(): path
        for path in sorted(folders[0].rglob('*.py'))
    }
    found = [t for t in tools if t == wanted] or [t for t in tools if t.endswith(f'/{wanted}')]
    if len(found) != 1:
        raise UserError(
            f'MMDetection has {len(found) or "no"} tools named {name!r}. Its tools are:\n  '
            + '\n  '.join(found or tools)
        )
    return tools[found[0]]


def main() -> None:
    with user_messages():
        if len(sys.argv) < 2 or sys.argv[1] in ('-h', '--help'):
            raise UserError(f'{__doc__}')
        if sys.argv[1] == '--trust':
            trust_checkpoints()
            del sys.argv[1]
        script = find_tool(''.join(sys.argv[1:2]))
        sys.argv = [str(script), *sys.argv[2:]]
        runpy.run_path(str(script), run_name='__main__')


if __name__ == '__main__':
    main()
