"""Puts a report together and writes it as one HTML file."""

from __future__ import annotations

import datetime
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from abc_mmdet.apis.test_record import TestRecord
from abc_mmdet.engine.training_log import Curve
from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.error_kinds import KINDS
from abc_mmdet.utils.atomic_write import atomic_write

from .chart_sections import (
    ap_charts,
    conflict_charts,
    f1_charts,
    loss_charts,
    precision_recall_charts,
    validation_charts,
)
from .charts import COLOURS
from .evaluated import Evaluated
from .gallery import smallest_hits, worst_false_negatives, worst_false_positives
from .tables import SIZES, class_rows, size_rows, summary_rows, threshold_rows, verdicts

GALLERY = 12
"""False negatives and false positives shown of each result."""


def render(
    results: Sequence[Evaluated],
    curves: Sequence[Curve] = (),
    gallery: int = GALLERY,
    title: str = 'Detection report',
    config: str = '',
    records: Mapping[str, TestRecord] | None = None,
) -> str:
    """The page.

    Args:
        results: the first one is the baseline.
        curves: from the logs of trainings, named after the results.
        gallery: false negatives and false positives that are shown of each result.
        title: heading of the page.
        config: file whose test data the results are of.
        records: of the tests, by the names of their results, where they are known.
    """
    test = results[0].test_set
    summary = summary_rows(results)
    colour = {result.name: i for i, result in enumerate(results)}
    context: dict[str, Any] = dict(
        title=title,
        best_f1=json.dumps(_best_thresholds(results)),
        results=results,
        colours=COLOURS,
        test=test,
        boxes=int(test.counted.sum()),
        small_names=[test.classes[label] for label in test.small],
        summary=summary,
        verdicts=verdicts(*summary),
        sizes=SIZES,
        by_size=size_rows(results),
        by_class=class_rows(results),
        ap_charts=ap_charts(results),
        precision_recall=precision_recall_charts(results),
        f1=f1_charts(results),
        thresholds=threshold_rows(results),
        kinds=KINDS,
        conflicts=conflict_charts(curves, colour),
        losses=loss_charts(curves, colour),
        logged={curve.run for curve in curves},
        in_conflict={curve.run for curve in curves if 'conflict' in curve.key},
        validations=validation_charts(curves, colour),
        with_losses={curve.run for curve in curves if curve.key == 'loss'},
        mistakes=_mistakes(results, gallery),
        hits={r.name: smallest_hits(r, gallery) for r in results} if gallery else {},
        config=config,
        records=records or {},
        tested=tested,
        today=datetime.date.today().isoformat(),
    )
    return environment().get_template('report.html').render(context)


def _best_thresholds(results: Sequence[Evaluated]) -> dict[str, float]:
    curves = {result.name: result.pooled_f1 for result in results}
    return {name: curve.best_threshold for name, curve in curves.items() if curve is not None}


def read_threshold(path: Path, name: str | None = None) -> float:
    """The score threshold with the best F1 over all classes, from a page of :func:`render`.

    Args:
        path: the page.
        name: of a result in it; None if there is but one.

    Raises:
        UserError: no page of ours, or not one result of that name in it.
    """
    try:
        text = path.read_text(encoding='utf-8', errors='replace')
    except OSError as error:
        reason = f'{error.strerror}. tools/analysis_tools/report.py writes reports.'
        raise UserError(f'{path}: {reason}') from error
    found = re.search(r'<meta name="best-f1-thresholds" content="([^"]*)">', text)
    known: dict[str, float] = json.loads(html.unescape(found[1])) if found else {}
    if not known:
        raise UserError(f'{path} has no score thresholds: write it again with report.py.')
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name not in known:
        raise UserError(
            f'{path} has the results {", ".join(known)}: name one, --report NAME={path}.'
        )
    return known[name]


def tested(record: TestRecord | None) -> dict[str, str]:
    """What a test was, in words, for each column of the table; says what is not known."""
    if record is None:
        return dict(
            checkpoint='not recorded', input='not recorded', speed='not measured', day='not known'
        )
    size, speed = record.input_size, record.milliseconds
    batch = f', batch {record.batch_size}' if record.batch_size else ''
    return dict(
        checkpoint=record.checkpoint,
        input=f'{size[0]} × {size[1]} px' if size else 'not recorded',
        speed=f'{speed:.3g} ms per image{batch}, {record.device}' if speed else 'not measured',
        day=record.date.replace('T', ' ')[:16],
    )


def _mistakes(results: Sequence[Evaluated], count: int) -> Mapping[str, tuple[list, list]]:
    if not count:
        return {}
    return {
        r.name: (worst_false_negatives(r, count), worst_false_positives(r, count)) for r in results
    }


def environment() -> jinja2.Environment:
    """Of the templates of this package."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader('abc_mmdet.report', 'templates'),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters['signed'] = signed
    return made


def signed(difference: float) -> str:
    """With its sign, minus as a minus and not as a hyphen."""
    return f'{difference:+.3f}'.replace('-', '−')


def write_page(path: Path, text: str) -> None:
    """The file is there as a whole or not at all."""
    atomic_write(path, text.encode())
