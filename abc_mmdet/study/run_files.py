"""Where a study keeps the results of its runs, and what it has begun."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from .ladder import Run
from .result_file import read_json, write_json


@dataclass(frozen=True)
class RunFiles:
    """Files of all runs of a ladder.

    Args:
        results: folder of the result files, ``RUNG_seedN.json``, which are meant to be kept.
        work: folder with a folder per run for logs, checkpoints and weights.
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
        return result is not None and result['config'] != run.rung.config_hash

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
        if record is None or record['config'] != run.rung.config_hash:
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
        record = dict(config=run.rung.config_hash, error=error)
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


def one_line(error: str, length: int = 200) -> str:
    """An error for lists and tables."""
    return textwrap.shorten(error, length, placeholder=' ...')
