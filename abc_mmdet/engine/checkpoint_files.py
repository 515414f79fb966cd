"""Which checkpoint a run goes on from, and which of them has finite weights."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from abc_mmdet.checkpoints.content import read_checkpoint
from abc_mmdet.checkpoints.loading import is_whole
from abc_mmdet.errors import UserError
from abc_mmdet.utils.processes import say

POINTER = 'last_checkpoint'
"""File in a work dir that names the newest checkpoint, as MMEngine writes it."""

_NUMBERED = re.compile(r'(.*?)(\d+)\.pth')
_USUAL = ('iter_', 'epoch_')


def newest_checkpoint(work_dir: Path) -> tuple[Path | None, list[Path]]:
    """The newest whole checkpoint of a run, and the newer ones that are damaged.

    It begins with the one that ``last_checkpoint`` names: files with higher numbers are those of
    an earlier run in the same folder. They may be in another folder (``out_dir`` of the hook). That
    is where they are looked for only if the work dir has none of this name: it may have been moved,
    or copied.
    """
    named = _named(work_dir)
    here = named is None or (work_dir / named.name).exists() or not named.exists()
    folder = work_dir if named is None or here else named.parent
    parts = None if named is None else _NUMBERED.fullmatch(named.name)
    prefixes, last = (_USUAL, None) if parts is None else ((parts[1],), int(parts[2]))
    found = []
    for path in folder.glob('*.pth'):
        match = _NUMBERED.fullmatch(path.name)
        if match and match[1] in prefixes and (last is None or int(match[2]) <= last):
            found.append((int(match[2]), path))
    damaged: list[Path] = []
    for _, path in sorted(found, reverse=True):
        if is_whole(path):
            return path, damaged
        damaged.append(path)
    return None, damaged


def _named(work_dir: Path) -> Path | None:
    try:
        text = (work_dir / POINTER).read_text().strip()
        is_there = bool(text) and Path(text).name != '' and not Path(text).is_dir()
    except (OSError, ValueError):  # half-written: not UTF-8, a zero byte, endless
        return None
    return Path(text) if is_there else None


def choose_checkpoint(config: Config) -> None:
    """Let a config that resumes, without saying from what, do so from the newest whole checkpoint.

    Damaged ones are reported. Without any checkpoint the run begins anew, which is said as well.

    Raises:
        UserError: there are checkpoints, and none is whole.
    """
    if not config.get('resume') or config.get('load_from'):
        return
    checkpoint, damaged = newest_checkpoint(Path(config.work_dir))
    for path in damaged:
        say(f'warning: the checkpoint {path} is damaged and passed over')
    if checkpoint is not None:
        say(f'resuming from {checkpoint}')
        config.load_from = str(checkpoint)
    elif damaged:
        raise UserError(
            f'--resume: every checkpoint in {damaged[0].parent} is damaged. Name a whole one, or '
            'leave --resume out and train from the beginning.'
        )
    else:
        say(f'{config.work_dir} has no checkpoint yet: training begins anew')
        config.resume = False


def numbered_checkpoints(folder: str | Path) -> list[tuple[int, Path]]:
    """``iter_N.pth`` and ``epoch_N.pth`` in the folder of a run, by number."""
    return sorted(
        (int(match[1]), path)
        for path in Path(folder).glob('*.pth')
        if (match := re.fullmatch(r'(?:iter|epoch)_(\d+)\.pth', path.name))
    )


def newest_finite_checkpoint(
    folder: str | Path, others: Mapping[Path, int] | None = None
) -> Path | None:
    """The latest checkpoint of a training run that can be read and whose weights are all finite.

    Args:
        folder: ``work_dir`` of the run, with ``iter_N.pth`` or ``epoch_N.pth``.
        others: those of earlier runs in the same folder, with the time in nanoseconds at which they
            were written; they count if they were overwritten since.

    Returns:
        Its path, or None if there is none.
    """
    for _, path in reversed(numbered_checkpoints(folder)):
        if (others or {}).get(path) != path.stat().st_mtime_ns and _is_finite(path):
            return path
    return None


def _is_finite(path: Path) -> bool:
    try:
        read_checkpoint(str(path))
    except (UserError, OSError, EOFError, RuntimeError, pickle.UnpicklingError):
        return False  # cut off while it was written, perhaps
    return True
