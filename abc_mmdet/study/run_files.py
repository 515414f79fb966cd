"""The metrics of one run as a JSON file that is small enough to be committed.

Keys stay as they were in the first files, which are still read: ``figures`` and ``train_figures``
are metrics, ``judged_on`` is what they were evaluated on.
"""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from abc_mmdet.utils.atomic_write import write_json

from .variants import Run

AP_STEP = 1e-4
"""Resampled metrics are kept as whole numbers of this; metrics have as many digits."""


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


@dataclass(frozen=True)
class RunFiles:
    """Files of all runs of an ablation.

    Args:
        results: folder of the result files, ``VARIANT_seedN.json``, which are meant to be kept.
        work: folder with a folder per run for logs, checkpoints and weights.

    Examples:
        >>> RunFiles(Path('results'), Path('work')).stored([])
        {}
    """

    results: Path
    work: Path

    def result(self, run: Run) -> Path:
        return self.results / f'{run.name}.json'

    def folder(self, run: Run) -> Path:
        return self.work / run.name

    def log(self, run: Run) -> Path:
        return self.folder(run) / 'log.txt'

    def open_log(self, run: Run) -> TextIO:
        self.folder(run).mkdir(parents=True, exist_ok=True)
        return self.log(run).open('a')

    def is_done(self, run: Run) -> bool:
        """Whether there is a result."""
        return self.result(run).exists()

    def is_outdated(self, run: Run) -> bool:
        """Whether the config has changed since the result was made."""
        result = read_json(self.result(run))
        return result is not None and result['config'] != run.variant.config_hash

    def is_settled(self, run: Run) -> bool:
        """Whether there is nothing to do: done or failed."""
        return self.is_done(run) or self.failure(run) is not None

    def is_begun(self, run: Run) -> bool:
        """Whether there is something to go on from."""
        folder = self.folder(run)
        return any(folder.glob('iter_*.pth')) or (folder / 'final.pth').exists()

    def failure(self, run: Run) -> str | None:
        """The error of a run that failed with this config, else None."""
        record = read_json(self.folder(run) / 'failed.json')
        if record is None or record['config'] != run.variant.config_hash:
            return None
        return record['error']

    def has_error(self, run: Run) -> bool:
        """Whether the run's process has written why it failed."""
        return (self.folder(run) / 'error.txt').exists()

    def record_failure(self, run: Run, code: int) -> str:
        """Keep a run from being tried again; its error."""
        if self.has_error(run):
            error = (self.folder(run) / 'error.txt').read_text()
        elif code < 0:
            error = f'killed by signal {-code}, {self._crashes(run)} times (out of memory?)'
        else:
            error = f'ended with exit code {code}'
        record = dict(config=run.variant.config_hash, error=error)
        write_json(self.folder(run) / 'failed.json', record)
        return error

    def forget_failure(self, run: Run) -> None:
        """Let a failed run be tried again, from its last checkpoint."""
        for name in ('failed.json', 'error.txt', 'crashes'):
            (self.folder(run) / name).unlink(missing_ok=True)

    def forget(self, run: Run) -> None:
        """Let a run be done anew."""
        self.result(run).unlink(missing_ok=True)
        shutil.rmtree(self.folder(run), ignore_errors=True)

    def count_crash(self, run: Run) -> int:
        """One more end without an error; how many by now."""
        crashes = self._crashes(run) + 1
        (self.folder(run) / 'crashes').write_text(str(crashes))
        return crashes

    def _crashes(self, run: Run) -> int:
        path = self.folder(run) / 'crashes'
        return int(path.read_text()) if path.exists() else 0

    def stored(self, runs: Sequence[Run]) -> dict[Run, dict[str, Any]]:
        """Results of the runs that have one."""
        results = {run: read_json(self.result(run)) for run in runs}
        return {run: result for run, result in results.items() if result is not None}


def one_line(error: str, length: int = 300) -> str:
    """An error for lists and tables."""
    return textwrap.shorten(error, length, placeholder=' ...')
