"""The newest checkpoint of a run that is worth going on from."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

from abc_mmdet.errors import UserError
from abc_mmdet.models.checkpoint_content import read_checkpoint


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
