"""Writes what a study found: a section of a document with tables, a summary as JSON, plots."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.bootstrap import HEADLINE
from abc_mmdet.utils.atomic_write import replace_file, write_figure, write_json

from . import plots
from .comparison import TITLES, Difference, Row, Spread, compare, repeated
from .run_files import RunFiles, one_line
from .variants import Run, Variant

_COSTS = {  # heading and format
    'train_ratio': ('training time', '{:.2f}'),
    'train_seconds': ('s on the clock', '{:.0f}'),
    'peak_memory_mb': ('peak memory, MB', '{:.0f}'),
    'latency_ratio': ('latency', '{:.2f}'),
    'gflops': ('GFLOPs', '{:.2f}'),
    'parameters_m': ('M parameters', '{:.2f}'),
}


def accuracy_table(rows: Sequence[Row], against: str = 'the baseline') -> str:
    """Headline metrics and their differences to what they are compared with, clear ones in bold."""
    header = ['variant', 'seeds', *(t for n in HEADLINE for t in (TITLES[n], f'to {against}'))]
    lines = [
        [
            row.variant.title,
            str(len(row.seeds)),
            *(
                text
                for name in HEADLINE
                for text in (
                    spread_text(row.metrics.get(name)),
                    difference_text(row.differences.get(name)),
                )
            ),
        ]
        for row in rows
    ]
    return markdown(header, lines)


def cost_table(rows: Sequence[Row]) -> str:
    """Time and memory of the training, cost at inference, and how much better train is than val."""
    gaps = [f'train - val, {TITLES[name]}' for name in HEADLINE]
    header = ['variant', *(title for title, _ in _COSTS.values()), *gaps]
    lines = [
        [
            row.variant.title,
            *(
                form.format(row.costs[key]) if key in row.costs else '-'
                for key, (_, form) in _COSTS.items()
            ),
            *(f'{row.gaps[name]:.3f}' if name in row.gaps else '-' for name in HEADLINE),
        ]
        for row in rows
    ]
    return markdown(header, lines)


def headline_table(rows: Sequence[Row]) -> str:
    """The short form for a README, of variants with several seeds, if there are any.

    What is clearly better than the baseline is in bold.
    """
    header = ['', 'seeds', *(TITLES[name] for name in HEADLINE), 'GFLOPs at inference']
    lines = []
    for row in repeated(rows):
        gflops = row.costs.get('gflops')
        cells = [_cell(row.metrics.get(n), row.differences.get(n)) for n in HEADLINE]
        cost = '-' if gflops is None else f'{gflops:.2f}'
        lines.append([row.variant.title, str(len(row.seeds)), *cells, cost])
    return markdown(header, lines)


def failure_list(failures: Mapping[Run, str]) -> str:
    """A line per failed run with its error."""
    return '\n'.join(
        f'- {run.variant.title}, seed {run.seed}, failed: `{one_line(error)}`'
        for run, error in failures.items()
    )


def spread_text(spread: Spread | None) -> str:
    if spread is None:
        return '-'
    return f'{spread.mean:.3f}' + ('' if spread.std is None else f' ± {spread.std:.3f}')


def difference_text(difference: Difference | None) -> str:
    if difference is None:
        return '-'
    text = f'{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]'
    if difference.seeds == 1:
        return f'{text} (images)'
    return f'**{text}**' if difference.is_clear else text


def _cell(spread: Spread | None, difference: Difference | None) -> str:
    text = spread_text(spread)
    is_better = difference is not None and difference.is_clear and difference.mean > 0
    return f'**{text}**' if is_better else text


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ['---'] * len(header)
    return '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in (header, rule, *lines))


MAIN_LOSSES = ('loss_cls', 'loss_bbox', 'loss_obj')


def write_report(
    ablation: str,
    variants: Sequence[Variant],
    runs: Sequence[Run],
    files: RunFiles,
    document: Path,
    readme: Path | None = None,
) -> list[Row]:
    """Write the report of all results so far.

    Args:
        ablation: its name, such as ``ablation_cpu``; the section of the document stands between
            ``<!-- ablation_cpu begin -->`` and ``<!-- ablation_cpu end -->``, and one that is not
            there yet is added at the end.
        variants: all variants.
        runs: all runs that were wanted.
        files: of the runs; summary and images go to their folder of results.
        document: a Markdown file.
        readme: one that gets the short table, if it has a section ``ablation_cpu_headline``.

    Returns:
        A row per variant.
    """
    results = files.stored(runs)
    rows = compare(variants, results)
    failures = {run: error for run in runs if (error := files.failure(run)) is not None}
    if not results and not failures:
        return rows
    files.results.mkdir(parents=True, exist_ok=True)
    summary = {row.variant.name: _summary(row) for row in rows}
    write_json(files.results / 'summary.json', summary)
    images = _draw(rows, results, files.results)
    outdated = [run.name for run in results if files.is_outdated(run)]
    text = _section(ablation, rows, len(runs), len(results), failures, outdated)
    base = os.path.relpath(files.results, document.parent)
    text += ''.join(f'\n\n![{words}]({base}/{name})' for name, words in images.items())
    fill_section(document, ablation, text, add=True)
    if readme is not None:
        fill_section(readme, f'{ablation}_headline', headline_table(rows))
    return rows


def _summary(row: Row) -> dict[str, Any]:
    """A row under the keys of result files."""
    named = {'figures' if key == 'metrics' else key: value for key, value in asdict(row).items()}
    del named['variant']
    return named


def _draw(rows: Sequence[Row], results: Mapping[Run, dict], folder: Path) -> dict[str, str]:
    """Names and descriptions of the images that could be drawn.

    They show variants with several seeds, and the resolution curve whatever it has.
    """
    yardstick = [row for row in rows if row.variant.name.startswith(plots.LARGER_INPUT)]
    several = repeated(rows)
    with_yardstick = [*several, *(row for row in yardstick if row not in several)]
    variants = {row.variant for row in several}
    results = {run: result for run, result in results.items() if run.variant in variants}
    conflicts = plots.logged_names(results, 'conflict')
    wanted = {
        'cost.png': ('Accuracy against cost', plots.cost_plot(with_yardstick)),
        'losses.png': ('Main losses', plots.curve_plot(results, MAIN_LOSSES)),
        'conflicts.png': ('Conflict of the tasks', plots.curve_plot(results, conflicts)),
    }
    drawn = {}
    for name, (words, figure) in wanted.items():
        if figure is not None:
            write_figure(figure, folder / name)
            drawn[name] = words
    return drawn


def _section(
    ablation: str,
    rows: Sequence[Row],
    wanted: int,
    done: int,
    failures: Mapping[Run, str],
    outdated: Sequence[str],
) -> str:
    parts = [
        f'`{ablation}`: {done} of {wanted} runs are done. Mean ± standard deviation over seeds; '
        'differences with 95 % intervals of a paired bootstrap over images and seeds, in bold '
        'where the interval lies on one side of zero. `(images)`: one seed, so the interval does '
        'not know how much seeds vary, and nothing is in bold.'
    ]
    if rows:
        parts += [
            accuracy_table(rows),
            'Training time and latency are ratios to the baseline (training: processor time on a '
            'CPU); `train - val` is the metric on training images without augmentation minus '
            'that on validation images.',
            cost_table(rows),
        ]
    if failures:
        parts.append(failure_list(failures))
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
