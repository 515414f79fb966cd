"""A dataset check as text for people and as JSON for machines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from abc_mmdet.datasets.annotations.checks import LEVELS, NOTE, issue_lines

from .advice import advise, percent
from .box_sizes import EDGES, HARDLY_THERE, bin_names, median
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
