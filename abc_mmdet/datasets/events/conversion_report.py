"""What a conversion kept, dropped and put right, over all recordings."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from .boxes import SIZES

REPORT = 'conversion_report.json'
_SUMS = (
    *('boxes_read', 'boxes_between_frames', 'labelled', 'windows'),
    *('events', 'events_outside', 'times_corrected'),
)


def summarise(found: Mapping[tuple[str, str], dict], failed: Mapping[str, str]) -> dict:
    """The report: sums per split, and why recordings failed.

    Args:
        found: what :func:`~.conversion.convert` returned, by split and name.
        failed: message by recording.
    """
    splits: dict[str, dict] = {}
    for (split, _), of_one in sorted(found.items()):
        total = splits.setdefault(
            split, dict(recordings=0, **dict.fromkeys(_SUMS, 0), dropped={}, boxes={})
        )
        total['recordings'] += 1
        for key in _SUMS:
            total[key] += of_one[key]
        for reason, number in of_one['dropped'].items():
            total['dropped'][reason] = total['dropped'].get(reason, 0) + number
        for name, sizes in of_one['boxes'].items():
            row = total['boxes'].setdefault(name, dict.fromkeys(SIZES, 0))
            for size, number in sizes.items():
                row[size] += number
    return dict(splits=splits, failed=dict(failed))


def write_report(report: dict, out_dir: Path) -> None:
    """Write it as ``conversion_report.json``."""
    partial = out_dir / f'.{REPORT}.partial'
    partial.write_text(json.dumps(report, indent=2) + '\n')
    os.replace(partial, out_dir / REPORT)


def report_text(report: dict) -> str:
    """The report for a terminal."""
    lines = []
    for split, total in report['splits'].items():
        lines += [
            '',
            f'{split}: {total["recordings"]} recordings, {total["windows"]} windows, '
            f'{total["labelled"]} of them labelled',
            f'  events: {total["events"]:,} read, {total["events_outside"]:,} outside of the '
            f'sensor left out, {total["times_corrected"]:,} unsorted times put right',
            f'  boxes: {total["boxes_read"]:,} read, {total["boxes_between_frames"]:,} between '
            'the labelled frames',
        ]
        lines += [f'    {number:,} {why}' for why, number in total['dropped'].items()]
        if any(sum(row.values()) for row in total['boxes'].values()):
            lines.append(f'    {"kept":<14}' + ''.join(f'{size:>12}' for size in SIZES))
            lines += [
                f'    {name:<14}' + ''.join(f'{row[size]:>12,}' for size in SIZES)
                for name, row in total['boxes'].items()
            ]
    if report['failed']:
        lines += ['', f'{len(report["failed"])} recordings failed:']
        lines += [f'  {message}' for message in report['failed'].values()]
    return '\n'.join(lines)
