"""The command ``abc-mmdet``, as processes. What comes of an installed one: test_packaging.py."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from abc_mmdet import __version__
from abc_mmdet.commands import COMMANDS, CONVERT
from abc_mmdet.shipped import TOOLS

from .warm_python import python

ROOT = Path(__file__).parents[1]


def run(folder: Path, *arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *python, '-m', 'abc_mmdet', *arguments],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONWARNINGS': 'ignore'},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize('argument', ['--version', '--help', 'no-such-command'])
def test_it_starts_without_what_takes_long_to_import(argument: str, tmp_path: Path) -> None:
    imported = run(tmp_path, argument, python=('-X', 'importtime')).stderr
    assert 'abc_mmdet.cli' in imported
    assert not re.search(r'\| +(torch|numpy|mmengine|mmdet|cv2)$', imported, re.M)


def test_help_has_one_line_for_each_command(tmp_path: Path) -> None:
    done = run(tmp_path, '--help')
    assert done.returncode == 0 and done.stderr == ''
    lines = re.findall(r'^  ([\w-]+) {2,}(\S.*)$', done.stdout, re.M)
    assert dict(lines) == {word: command.summary for word, command in COMMANDS.items()}
    assert max(map(len, done.stdout.splitlines())) <= 80
    kinds = run(tmp_path, 'convert', '-h').stdout
    assert re.findall(r'^  ([\w-]+) {2,}', kinds, re.M) == list(CONVERT)
    assert run(tmp_path, '--version').stdout == f'abc-mmdet {__version__}\n'


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['trian', 'x.py'], "abc-mmdet has no command 'trian'. Did you mean train?"),
        (['convert', 'to_mmdet'], "convert has no command 'to_mmdet'. Did you mean to-mmdet?"),
        (['zzz'], 'There are new-config, check, train,'),
        ([], 'usage: abc-mmdet COMMAND'),
        (['convert'], 'usage: abc-mmdet convert COMMAND'),
    ],
)
def test_what_is_no_command_is_a_mistake(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, '')
    assert said in done.stderr and 'Traceback' not in done.stderr


def test_every_command_has_its_tool() -> None:
    scripts = [c.script for c in (*COMMANDS.values(), *CONVERT.values()) if c.script]
    assert len(set(scripts)) == len(scripts) == 15
    assert [script for script in scripts if not (TOOLS / script).is_file()] == []


def test_a_tool_shows_its_own_help_and_mistakes_under_the_name_of_the_command(
    tmp_path: Path,
) -> None:
    """One process that is the command twice."""
    script = tmp_path / 'twice.py'
    script.write_text(
        'import sys\n'
        'from abc_mmdet.cli import main\n'
        'for argv in (["convert", "average", "--help"], ["train", "configs/frames/nowhere.py"]):\n'
        '    try:\n'
        '        main(argv)\n'
        '    except SystemExit as end:\n'
        '        print("exit", end.code, flush=True)\n'
    )
    done = subprocess.run(
        [python(), str(script)],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONWARNINGS': 'ignore'},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.startswith('usage: abc-mmdet convert average [-h] --out FILE')
    assert re.findall(r'^exit (\d)$', done.stdout, re.M) == ['0', '2']
    assert 'error: There is no config file configs/frames/nowhere.py' in done.stderr
    assert 'Traceback' not in done.stderr
