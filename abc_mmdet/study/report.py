"""Writes what a study found: a section of a document, a summary as JSON, and pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from abc_mmdet.errors import UserError
from abc_mmdet.whole_file import replace_file

from . import plots, tables
from .comparison import Row, compare, repeated
from .ladder import Run, Rung
from .result_file import write_json
from .run_files import RunFiles

MAIN_LOSSES = ('loss_cls', 'loss_bbox', 'loss_obj')


def write_report(
    ladder: str,
    rungs: Sequence[Rung],
    runs: Sequence[Run],
    files: RunFiles,
    document: Path,
    readme: Path | None = None,
) -> list[Row]:
    """Write the report of all results so far.

    Args:
        ladder: its name, such as ``ladder_cpu``; the section of the document stands between
            ``<!-- ladder_cpu begin -->`` and ``<!-- ladder_cpu end -->``, and one that is not
            there yet is added at the end.
        rungs: all rungs.
        runs: all runs that were wanted.
        files: of the runs; summary and pictures go to their folder of results.
        document: a Markdown file.
        readme: one that gets the short table, if it has a section ``ladder_cpu_headline``.

    Returns:
        A row per rung.
    """
    results = files.stored(runs)
    rows = compare(rungs, results)
    failures = {run: error for run in runs if (error := files.failure(run)) is not None}
    if not results and not failures:
        return rows
    files.results.mkdir(parents=True, exist_ok=True)
    summary = {row.rung.name: _summary(row) for row in rows}
    write_json(files.results / 'summary.json', summary)
    pictures = _draw(rows, results, files.results)
    outdated = [run.name for run in results if files.is_outdated(run)]
    text = _section(ladder, rows, len(runs), len(results), failures, outdated)
    base = os.path.relpath(files.results, document.parent)
    text += ''.join(f'\n\n![{words}]({base}/{name})' for name, words in pictures.items())
    fill_section(document, ladder, text, add=True)
    if readme is not None:
        fill_section(readme, f'{ladder}_headline', tables.headline_table(rows))
    return rows


def _summary(row: Row) -> dict[str, Any]:
    """A row under the keys of result files."""
    named = {'figures' if key == 'metrics' else key: value for key, value in asdict(row).items()}
    del named['rung']
    return named


def _draw(rows: Sequence[Row], results: Mapping[Run, dict], folder: Path) -> dict[str, str]:
    """Names and descriptions of the pictures that could be drawn.

    They show rungs with several seeds, and the resolution curve whatever it has.
    """
    yardstick = [row for row in rows if row.rung.name.startswith(plots.LARGER_INPUT)]
    several = repeated(rows)
    with_yardstick = [*several, *(row for row in yardstick if row not in several)]
    rungs = {row.rung for row in several}
    results = {run: result for run, result in results.items() if run.rung in rungs}
    conflicts = plots.logged_names(results, 'conflict')
    wanted = {
        'cost.png': ('Accuracy against cost', plots.cost_plot(with_yardstick)),
        'losses.png': ('Main losses', plots.curve_plot(results, MAIN_LOSSES)),
        'conflicts.png': ('Conflict of the tasks', plots.curve_plot(results, conflicts)),
    }
    drawn = {}
    for name, (words, figure) in wanted.items():
        if figure is not None:
            plots.save(figure, folder / name)
            drawn[name] = words
    return drawn


def _section(
    ladder: str,
    rows: Sequence[Row],
    wanted: int,
    done: int,
    failures: Mapping[Run, str],
    outdated: Sequence[str],
) -> str:
    parts = [
        f'`{ladder}`: {done} of {wanted} runs are done. Mean ± standard deviation over seeds; '
        'differences with 95 % intervals of a paired bootstrap over images and seeds, in bold '
        'where the interval lies on one side of zero. `(images)`: one seed, so the interval does '
        'not know how much seeds vary, and nothing is in bold.'
    ]
    if rows:
        parts += [
            tables.accuracy_table(rows),
            'Training time and latency are ratios to the baseline (training: processor time on a '
            'CPU); `train - val` is the figure on training images without augmentation minus '
            'that on validation images.',
            tables.cost_table(rows),
        ]
    if failures:
        parts.append(tables.failure_list(failures))
    if outdated:
        parts.append(
            'The config has changed since these runs were done: ' + ', '.join(outdated) + '.'
        )
    return '\n\n'.join(parts)


def fill_section(document: Path, name: str, text: str, add: bool = False) -> bool:
    """Replace what stands between two marks of a Markdown file, nothing else.

    Args:
        document: made if it is to be added to and does not exist.
        name: of the section; its marks are ``<!-- NAME begin -->`` and ``<!-- NAME end -->``.
        text: the new content.
        add: append the section if it is not there.

    Returns:
        Whether the document has the section.

    Raises:
        UserError: one of the marks is missing, or they are in the wrong order.
    """
    begin, end = f'<!-- {name} begin -->', f'<!-- {name} end -->'
    content = document.read_text() if document.exists() else ''
    if begin not in content and end not in content:
        if not add:
            return False
        content = content.rstrip('\n') + ('\n\n' if content else '') + f'{begin}\n{end}\n'
    before, found, rest = content.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise UserError(f'{document}: one of the lines\n  {begin}\n  {end}\nis missing.')
    replace_file(document, f'{before}{begin}\n{text}\n{end}{after}'.encode())
    return True
