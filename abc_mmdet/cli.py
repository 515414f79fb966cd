"""The command ``abc-mmdet``: the tools by one name, wherever the package is installed.

``abc-mmdet train ARGUMENTS`` is ``python tools/train.py ARGUMENTS``: the same script, which comes
with the package (:mod:`abc_mmdet.shipped`). Only a tool imports PyTorch; the rest is here at once.
"""

from __future__ import annotations

import difflib
import importlib
import sys
import types
from collections.abc import Mapping
from pathlib import Path

from .commands import COMMANDS, NAME, Command
from .shipped import TOOLS
from .version import __version__

MISTAKE = 2


def help_text(commands: Mapping[str, Command], start: str = NAME) -> str:
    """One line for each command."""
    width = max(map(len, commands)) + 2
    lines = [f'  {word:{width}}{command.summary}' for word, command in commands.items()]
    usage = [f'usage: {start} COMMAND [ARGUMENTS]', f'       {start} COMMAND --help']
    if start == NAME:
        usage.append(f'       {start} --version')
    return '\n'.join([*usage, '', *lines])


def run(script: Path, arguments: list[str]) -> None:
    """Run a tool as Python would, under the name in its ``arguments[0]``.

    Unlike :func:`runpy.run_path` it leaves ``sys.argv[0]`` alone, which argparse shows as the
    program's name. Processes that a tool starts import its script, as they would without us.
    """
    main = types.ModuleType('__main__')
    main.__file__ = str(script)
    sys.modules['__main__'] = main
    sys.argv = arguments
    importlib.import_module('abc_mmdet.registration')
    exec(compile(script.read_bytes(), str(script), 'exec'), main.__dict__)


def pick(commands: Mapping[str, Command], start: str, arguments: list[str]) -> tuple[Command, str]:
    """Take the first of the arguments for a command; the command, and how it was called.

    Raises:
        SystemExit: after help or version, which is what was asked for, or what is missing.
    """
    word = arguments.pop(0) if arguments else ''
    if word in ('-h', '--help'):
        print(help_text(commands, start))
        raise SystemExit(0)
    if word == '--version':
        print(f'{NAME} {__version__}')
        raise SystemExit(0)
    if not word:
        print(help_text(commands, start), file=sys.stderr)
        raise SystemExit(MISTAKE)
    if word not in commands:
        near = difflib.get_close_matches(word, commands, n=1)
        meant = f' Did you mean {near[0]}?' if near else ''
        # user_messages() would say it, and imports PyTorch
        print(
            f'\nerror: {start} has no command {word!r}.{meant} There are {", ".join(commands)}.',
            file=sys.stderr,
        )
        raise SystemExit(MISTAKE)
    return commands[word], f'{start} {word}'


def main(argv: list[str] | None = None) -> None:
    """Run a command.

    Raises:
        SystemExit: with the exit code of the tool; 2 if there is no such command.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    command, start = pick(COMMANDS, NAME, arguments)
    if command.group:
        command, start = pick(command.group, start, arguments)
    if command.script:
        run(TOOLS / command.script, [start, *arguments])
    else:
        from .doctor import main as doctor

        raise SystemExit(doctor(arguments, start))
