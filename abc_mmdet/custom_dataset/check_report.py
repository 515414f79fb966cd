"""A dataset check as text and a plot of sizes for people, and as JSON for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from abc_mmdet.datasets.annotations.checks import LEVELS, NOTE, issue_lines

from .advice import advise, percent
from .box_sizes import EDGES, HARDLY_THERE, BoxSizes, bin_names, median
from .dataset_check import DatasetCheck
from .splits import Split

_BAR = 40


def as_text(dataset_check: DatasetCheck) -> str:
    """The report, without a final line break."""
    lines = [dataset_check.config, *_network_lines(dataset_check)]
    for split in dataset_check.splits:
        lines += ['', *_split_lines(dataset_check, split)]
    for level in LEVELS:
        found = [issue for issue in dataset_check.issues if issue.level == level]
        if found:
            lines += ['', f'{level}s' if level != NOTE else 'for your information']
            lines += [line for issue in found for line in issue_lines(issue)]
    advice = advise(dataset_check)
    if advice:
        lines += ['', 'advice', *(f'  - {sentence}' for sentence in advice)]
    counts = [f'{dataset_check.number_of(level)} {level}s' for level in LEVELS[:2]]
    return '\n'.join([*lines, '', ', '.join(counts)])


def as_dict(dataset_check: DatasetCheck) -> dict[str, Any]:
    """The same for JSON."""
    return dict(
        config=dataset_check.config,
        problems=dataset_check.number_of('problem'),
        warnings=dataset_check.number_of('warning'),
        strides=dataset_check.strides,
        train_only_strides=dataset_check.train_only_strides,
        splits=[_split_dict(dataset_check, split) for split in dataset_check.splits],
        issues=[asdict(issue) for issue in dataset_check.issues],
        advice=advise(dataset_check),
    )


def _split_dict(dataset_check: DatasetCheck, split: Split) -> dict[str, Any]:
    sizes = split.sizes
    return dict(
        fields=split.fields,
        **split.facts(),
        boxes=len(sizes),
        input_sizes=[list(shape) for shape, _ in split.input_shapes().most_common()],
        classes=[
            dict(name=name, boxes=len(of), median_size=median(of))
            for name in sizes.classes
            for of in [sizes.of_class(name)]
        ],
        histogram=dict(edges=list(EDGES), counts=sizes.histogram().tolist()),
        share_below={str(limit): sizes.share_below(limit) for limit in _limits(dataset_check)},
    )


def _network_lines(dataset_check: DatasetCheck) -> Iterator[str]:
    if dataset_check.strides:
        also = ', '.join(map(str, dataset_check.train_only_strides))
        yield f'levels of the model: strides {", ".join(map(str, dataset_check.strides))}' + (
            f'; in training also {also}' if also else ''
        )
    if not all(split.at_network for split in dataset_check.splits):
        yield 'sizes are those of the image files: no data set has a pipeline'


def _split_lines(dataset_check: DatasetCheck, split: Split) -> Iterator[str]:
    sizes = split.sizes
    yield f'{split.title}: {split.source}'
    shapes = [shape for shape, _ in split.input_shapes().most_common()]
    shown = ', '.join(f'{w}x{h}' for w, h in shapes[:3]) + (' ...' if len(shapes) > 3 else '')
    yield f'  {split.amount}, {len(sizes)} usable boxes; network input {shown}'
    if not len(sizes):
        return
    width = max(len(name) for name in [*sizes.classes, 'class'])
    yield f'  {"class":{width}}  {"boxes":>8}  median size'
    for name in sizes.classes:
        of = sizes.of_class(name)
        size = f'{np.median(of):8.1f} px' if len(of) else ''
        yield f'  {name:{width}}  {len(of):8}  {size}'.rstrip()
    yield '  size at network resolution (square root of the area), pixels'
    counts = sizes.histogram()
    for name, count in zip(bin_names(), counts, strict=True):
        bar = '#' * round(_BAR * count / counts.max())
        yield f'  {name:>8}  {count:8}  {percent(count / len(sizes)):>6}  {bar}'.rstrip()
    shares = (
        f'{limit:g} px: {percent(sizes.share_below(limit))}' for limit in _limits(dataset_check)
    )
    yield '  share of boxes below ' + ', '.join(shares)


def _limits(dataset_check: DatasetCheck) -> list[float]:
    """What shares are told of: hardly visible, and a cell of each level."""
    return sorted({HARDLY_THERE, *dataset_check.strides, *dataset_check.train_only_strides})


_COLOURS = mpl.color_sequences['tab10']
_MOST_CLASSES = 9  # the others share a colour


def size_plot(
    panels: Sequence[tuple[str, BoxSizes]],
    strides: Sequence[int] = (),
    train_only_strides: Sequence[int] = (),
) -> Figure:
    """Histogram of box sizes, a panel per data set, stacked by class, with the model's strides.

    Args:
        panels: title and sizes of each data set, in pixels of the network input.
        strides: of the levels at inference; dashed lines.
        train_only_strides: dotted lines.
    """
    figure = Figure(figsize=(10, 0.6 + 3.2 * len(panels)), layout='constrained')
    grid = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    groups = _groups([sizes for _, sizes in panels])
    for axes, (title, sizes) in zip(grid, panels, strict=True):
        bottom = np.zeros(len(EDGES))
        for number, (name, classes) in enumerate(groups.items()):
            counts = sizes.histogram([c for c in classes if c in sizes.classes])
            axes.bar(np.arange(len(EDGES)), counts, 0.9, bottom, color=_COLOURS[number], label=name)
            bottom += counts
        for stride in sorted({*strides, *train_only_strides}):
            only = stride not in strides
            share = percent(sizes.share_below(stride))
            place = EDGES.index(stride) - 0.5 if stride in EDGES else _place(stride)
            axes.axvline(place, color='black', linewidth=1, linestyle=':' if only else '--')
            axes.annotate(
                f'stride {stride}\n' + 'in training\n' * only + f'{share}\nbelow',
                (place, 1),
                (3, -3),
                xycoords=('data', 'axes fraction'),
                textcoords='offset points',
                va='top',
                fontsize=8,
            )
        axes.set_ylim(0, max(bottom.max(), 1) * 1.4)
        axes.set_xlim(-0.6, len(EDGES) - 0.4)
        axes.set_xticks(np.arange(len(EDGES)), bin_names(), fontsize=8)
        axes.set_ylabel('boxes')
        axes.set_title(f'{title}: {len(sizes)} boxes', loc='left', fontsize=10)
        axes.legend(fontsize=8, loc='upper left', bbox_to_anchor=(1, 1))
    grid[-1].set_xlabel('size at network resolution (square root of the area), pixels')
    return figure


def _groups(of_panels: Sequence[BoxSizes]) -> dict[str, list[str]]:
    """Classes by colour: the most frequent ones their own, the rest one together."""
    numbers: Counter[str] = Counter()
    for sizes in of_panels:
        numbers.update({name: len(sizes.of_class(name)) for name in sizes.classes})
    names = [name for name, _ in numbers.most_common()]
    if len(names) <= _MOST_CLASSES + 1:
        return {name: [name] for name in names}
    rest = names[_MOST_CLASSES:]
    return {name: [name] for name in names[:_MOST_CLASSES]} | {f'{len(rest)} others': rest}


def _place(stride: float) -> float:
    return float(np.interp(stride, EDGES, np.arange(len(EDGES)))) - 0.5
