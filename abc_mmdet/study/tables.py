"""The comparison of a ladder as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from abc_mmdet.evaluation.bootstrap import HEADLINE

from .comparison import Difference, Row, Spread, repeated
from .ladder import Run
from .run_files import one_line

TITLES = {
    'bbox_mAP_small_classes': 'mAP of small classes',
    'bbox_mAP_s': 'AP_small',
    'bbox_mAP': 'mAP',
}
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
    header = ['rung', 'seeds', *(t for n in HEADLINE for t in (TITLES[n], f'to {against}'))]
    lines = [
        [
            row.rung.title,
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
    header = ['rung', *(title for title, _ in _COSTS.values()), *gaps]
    lines = [
        [
            row.rung.title,
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
    """The short form for a README, of rungs with several seeds, if there are any.

    What is clearly better than the baseline is in bold.
    """
    header = ['', 'seeds', *(TITLES[name] for name in HEADLINE), 'GFLOPs at inference']
    lines = []
    for row in repeated(rows):
        gflops = row.costs.get('gflops')
        cells = [_cell(row.metrics.get(n), row.differences.get(n)) for n in HEADLINE]
        cost = '-' if gflops is None else f'{gflops:.2f}'
        lines.append([row.rung.title, str(len(row.seeds)), *cells, cost])
    return markdown(header, lines)


def failure_list(failures: Mapping[Run, str]) -> str:
    """A line per failed run with its error."""
    return '\n'.join(
        f'- {run.rung.title}, seed {run.seed}, failed: `{one_line(error)}`'
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
