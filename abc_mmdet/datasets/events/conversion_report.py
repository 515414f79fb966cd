"""What a conversion kept, dropped and put right, over all recordings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import replace_file

from .labels import SIZES, add_counts, total

REPORT = 'conversion_report.json'
_MANY = 20
"""Recordings of which more than one in so many labelled frames have no event are named."""
_SUMS = (
    *('boxes_read', 'windows', 'labelled', 'labelled_empty', 'labelled_without_boxes'),
    *('events', 'events_outside', 'events_between', 'times_corrected'),
)


def summarise(
    counts_of: Mapping[tuple[str, str], dict],
    failed: Mapping[str, str],
    skipped: Mapping[str, str] | None = None,
) -> dict:
    """The report: sums per split, and why recordings failed.

    Args:
        counts_of: what :func:`~.conversion.convert` returned, by split and name.
        failed: message by recording.
        skipped: why there was nothing to convert, by recording.
    """
    splits: dict[str, dict] = {}
    for (split, _), of_one in sorted(counts_of.items()):
        of_split = splits.setdefault(
            split, dict(recordings=0, **dict.fromkeys(_SUMS, 0), boxes={}, dropped={})
        )
        of_split['recordings'] += 1
        for key in _SUMS:
            of_split[key] += of_one.get(key, 0)  # conversions of before may not have counted it
        add_counts(of_split['boxes'], of_one['boxes'])
        for reason, counts in of_one['dropped'].items():
            add_counts(of_split['dropped'].setdefault(reason, {}), counts)
    empty = {
        '/'.join(key): f'{of_one["labelled_empty"]} of {of_one["labelled"]} labelled frames'
        for key, of_one in sorted(counts_of.items())
        if of_one['labelled_empty'] * _MANY > of_one['labelled']
    }
    return dict(splits=splits, empty=empty, skipped=dict(skipped or {}), failed=dict(failed))


def write_report(report: dict, out_dir: Path) -> None:
    """Write it as ``conversion_report.json``.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        replace_file(out_dir / REPORT, (json.dumps(report, indent=2) + '\n').encode())
    except OSError as error:
        raise UserError(f'cannot write {out_dir / REPORT}: {error.strerror or error}') from error


def report_text(report: dict) -> str:
    """The report for a terminal."""
    lines = []
    for split, sums in report['splits'].items():
        lines += [
            '',
            f'{split}: {sums["recordings"]} recordings, {sums["windows"]} windows, '
            f'{sums["labelled"]} of them labelled, {sums["labelled_empty"]} of these without '
            f'any event, {sums["labelled_without_boxes"]} without any box',
            f'  events: {sums["events"]:,} read, {sums["events_outside"]:,} outside of the '
            f'sensor left out, {sums["events_between"]:,} in no window, '
            f'{sums["times_corrected"]:,} unsorted times put right',
            f'  boxes: {sums["boxes_read"]:,} read',
        ]
        if sums['boxes_read']:
            lines.append(' ' * 24 + ''.join(f'{size:>11}' for size in SIZES))
            lines += _table('kept', sums['boxes'])
        for reason, counts in sums['dropped'].items():
            lines += _table(f'dropped, {reason}', counts)
    if report['empty']:
        lines += ['', 'without any event:']
        lines += [f'  {name}: {text}' for name, text in report['empty'].items()]
    if report['skipped']:
        lines += ['', f'{len(report["skipped"])} recordings skipped:']
        lines += [f'  {message}' for message in report['skipped'].values()]
    if report['failed']:
        lines += ['', f'{len(report["failed"])} recordings failed:']
        lines += [f'  {message}' for message in report['failed'].values()]
    return '\n'.join(lines)


def _table(title: str, counts: dict[str, dict[str, int]]) -> list[str]:
    return [f'    {title}: {total(counts):,}'] + [
        f'      {name:<18}' + ''.join(f'{row[size]:>11,}' for size in SIZES)
        for name, row in counts.items()
        if any(row.values())
    ]
