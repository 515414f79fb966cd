"""Writes what a study found: a section of a document, a summary as JSON, and plots."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import replace_file

from . import comparison, report
from .comparison import TITLES, Result, Row, compare, repeated
from .run_files import RunFiles, write_json
from .variant_table import BASELINE
from .variants import Run, Variant

DPI = 100
LARGER_INPUT = 'input_'
"""How the names of configs begin that are the baseline at another size of its input."""

YARDSTICK = 'the baseline at other resolutions'
_COLOURS = mpl.color_sequences['tab20']


def cost_plot(rows: Sequence[Row], name: str = 'bbox_mAP_small_classes') -> Figure | None:
    """A metric against the cost of training and at inference; None without costs."""
    axes_of = {'train_ratio': 'training time / baseline', 'gflops': 'GFLOPs at inference'}
    shown = [r for r in rows if name in r.metrics and set(axes_of) <= set(r.costs)]
    if not shown:
        return None
    figure = Figure(figsize=(12, max(5.0, 0.2 * len(shown))), layout='constrained')
    for axes, (cost, label) in zip(
        figure.subplots(1, 2, sharey=True), axes_of.items(), strict=True
    ):
        for i, row in enumerate(shown):
            spread = row.metrics[name]
            axes.errorbar(
                row.costs[cost],
                spread.mean,
                yerr=spread.std,
                fmt='o',
                capsize=3,
                color=_COLOURS[i % len(_COLOURS)],
                label=row.variant.title,
            )
        curve = _resolution_curve(shown, cost, name)
        if len(curve) > 1:
            axes.plot(*zip(*curve, strict=True), '--', color='grey', zorder=0, label=YARDSTICK)
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel(TITLES[name] + ' (bars: standard deviation over seeds)')
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside right center', fontsize=8)
    return figure


def _resolution_curve(rows: Sequence[Row], cost: str, name: str) -> list[tuple[float, float]]:
    """Cost and metric of the baseline at different sizes of its input, the cheapest first."""
    return sorted(
        (row.costs[cost], row.metrics[name].mean)
        for row in rows
        if row.variant.name == BASELINE or row.variant.name.startswith(LARGER_INPUT)
    )


def curve_plot(results: Mapping[Run, Result], names: Sequence[str]) -> Figure | None:
    """Logged values over the training, mean over the seeds of a variant; None without any."""
    curves = {name: _mean_curves(results, name) for name in names}
    curves = {name: by_variant for name, by_variant in curves.items() if by_variant}
    if not curves:
        return None
    columns = min(len(curves), 3)
    lines_of_plots = -(-len(curves) // columns)
    figure = Figure(figsize=(12, 3 * lines_of_plots + 1.5), layout='constrained')
    colour: dict[str, Any] = {}
    grid = list(figure.subplots(lines_of_plots, columns, squeeze=False).flat)
    for axes in grid[len(curves) :]:
        axes.set_visible(False)
    for axes, (name, by_variant) in zip(grid, curves.items(), strict=False):
        for title, (steps, values) in by_variant.items():
            colour.setdefault(title, _COLOURS[len(colour) % len(_COLOURS)])
            axes.plot(steps, values, color=colour[title], label=title, linewidth=1.2)
        axes.set_title(name)
        axes.set_xlabel('iteration')
        axes.tick_params(labelsize=8, which='both')
        axes.grid(alpha=0.3)
        if 'loss' in name:
            axes.set_yscale('log')
    lines = {str(line.get_label()): line for axes in figure.axes for line in axes.get_lines()}
    figure.legend(
        list(lines.values()), list(lines), loc='outside lower center', fontsize=8, ncols=3
    )
    return figure


def logged_names(results: Mapping[Run, Result], *parts: str) -> list[str]:
    """Names of logged values that contain one of these parts."""
    names = {name for result in results.values() for name in result['curves']}
    return sorted(name for name in names if any(part in name for part in parts))


def _mean_curves(
    results: Mapping[Run, Result], name: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    by_title: dict[str, list[tuple[list, list]]] = {}
    for run, result in sorted(
        results.items(), key=lambda item: (item[0].variant.order, item[0].seed)
    ):
        if name in result['curves']:
            curve = (result['curves']['iteration'], result['curves'][name])
            by_title.setdefault(run.variant.title, []).append(curve)
    means = {}
    for title, curves in by_title.items():
        steps = np.array(curves[0][0], float)
        values = [np.interp(steps, *_without_gaps(curve)) for curve in curves]
        means[title] = (steps, np.mean(values, axis=0))
    return means


def _without_gaps(curve: tuple[list, list]) -> tuple[list, list]:
    kept = [(step, value) for step, value in zip(*curve, strict=True) if value is not None]
    return [step for step, _ in kept], [value for _, value in kept]


def save(figure: Figure, path: Path) -> None:
    """As PNG; the file is there as a whole or not at all."""
    drawn, content = BytesIO(), BytesIO()
    figure.savefig(drawn, format='png', dpi=DPI)
    # Lines need few colours, and the file is a third as large
    Image.open(drawn).convert('RGB').quantize(128).save(content, format='png', optimize=True)
    replace_file(path, content.getvalue())


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
        fill_section(readme, f'{ablation}_headline', comparison.headline_table(rows))
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
    yardstick = [row for row in rows if row.variant.name.startswith(report.LARGER_INPUT)]
    several = repeated(rows)
    with_yardstick = [*several, *(row for row in yardstick if row not in several)]
    variants = {row.variant for row in several}
    results = {run: result for run, result in results.items() if run.variant in variants}
    conflicts = report.logged_names(results, 'conflict')
    wanted = {
        'cost.png': ('Accuracy against cost', report.cost_plot(with_yardstick)),
        'losses.png': ('Main losses', report.curve_plot(results, MAIN_LOSSES)),
        'conflicts.png': ('Conflict of the tasks', report.curve_plot(results, conflicts)),
    }
    drawn = {}
    for name, (words, figure) in wanted.items():
        if figure is not None:
            report.save(figure, folder / name)
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
            comparison.accuracy_table(rows),
            'Training time and latency are ratios to the baseline (training: processor time on a '
            'CPU); `train - val` is the figure on training images without augmentation minus '
            'that on validation images.',
            comparison.cost_table(rows),
        ]
    if failures:
        parts.append(comparison.failure_list(failures))
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
