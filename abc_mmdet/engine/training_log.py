"""What a training logged, gathered from all its sessions."""

from __future__ import annotations

import json
from pathlib import Path


def logged_scalars(folder: Path) -> dict[int, dict[str, float]]:
    """Logged values per iteration.

    A run that was stopped has a log per session, and did some iterations twice if it was killed
    between checkpoints; the later session counts.
    """
    entries: dict[int, dict[str, float]] = {}
    # Folders of sessions are named by their time
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue  # a line that was being written when the process was killed
            if 'loss' in entry:
                entries[entry['step']] = entry
    return dict(sorted(entries.items()))
