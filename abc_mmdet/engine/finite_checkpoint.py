"""The newest checkpoint of a run that is worth going on from."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import torch

from abc_mmdet.errors import UserError
from abc_mmdet.models.plain_checkpoint import read_checkpoint


def newest_finite_checkpoint(folder: str | Path) -> Path | None:
    """The latest checkpoint of a training run that can be read and whose weights are all finite.

    Args:
        folder: ``work_dir`` of the run, with ``iter_N.pth`` or ``epoch_N.pth``.

    Returns:
        Its path, or None if there is none.
    """
    numbered = [
        (int(match[1]), path)
        for path in Path(folder).glob('*.pth')
        if (match := re.fullmatch(r'(?:iter|epoch)_(\d+)\.pth', path.name))
    ]
    for _, path in sorted(numbered, reverse=True):
        if _is_finite(path):
            return path
    return None


def _is_finite(path: Path) -> bool:
    try:
        weights = read_checkpoint(str(path))['state_dict']
    except (UserError, OSError, EOFError, RuntimeError, pickle.UnpicklingError):
        return False  # cut off while it was written, perhaps
    return all(value.isfinite().all() for value in weights.values() if torch.is_tensor(value))
