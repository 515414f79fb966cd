"""The metrics of one run as a JSON file that is small enough to be committed.

Keys stay as they were in the first files, which are still read: ``figures`` and ``train_figures``
are metrics, ``judged_on`` is what they were evaluated on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from abc_mmdet.whole_file import replace_file

AP_STEP = 1e-4
"""Resampled metrics are kept as whole numbers of this; metrics have as many digits."""


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """One line per key; the file is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f' {json.dumps(key)}: {json.dumps(_plain(value))}' for key, value in content.items()]
    replace_file(path, ('{\n' + ',\n'.join(lines) + '\n}\n').encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """Content of a file, None if there is none."""
    return json.loads(path.read_text()) if path.is_file() else None


def packed(resampled: Mapping[str, np.ndarray]) -> dict[str, list[int | None]]:
    """Resampled metrics as whole numbers of :data:`AP_STEP`; None where there is none."""
    return {
        name: [None if np.isnan(v) else round(v / AP_STEP) for v in values.tolist()]
        for name, values in resampled.items()
    }


def unpacked(numbers: list[int | None]) -> np.ndarray:
    """The way back of :func:`packed` for one metric."""
    return np.array([np.nan if n is None else n * AP_STEP for n in numbers])


def _plain(value: Any) -> Any:
    """No nan, which is no JSON; floats with six digits."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return None if np.isnan(value) else float(f'{value:.6g}')
    return value
