"""Variants side by side: means over seeds, differences with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from abc_mmdet.evaluation.bootstrap import HEADLINE, difference_interval

from .run_files import unpacked
from .variant_table import BASELINE
from .variants import Run, Variant

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over seeds; the latter is None for one seed.

    Examples:
        >>> Spread(mean=0.31, std=None).mean
        0.31
    """

    mean: float
    std: float | None


@dataclass(frozen=True)
class Difference:
    """To another variant, over the seeds both have; the interval is one of 95 %.

    That of one seed is about images alone: what another training would bring is not in it.

    Examples:
        >>> Difference(0.02, low=0.01, high=0.03, seeds=3).is_clear
        True
    """

    mean: float
    low: float
    high: float
    seeds: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval lies on one side of zero, and knows how much seeds vary."""
        return self.seeds > 1 and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Row:
    """One variant.

    Args:
        variant: the variant.
        seeds: that are done.
        metrics: all metrics of the validation data.
        gaps: training minus validation data, of the headline metrics.
        costs: means over the seeds; ``train_ratio`` is that of the training time to the
            baseline's on the same kind of machine (of the processor on a CPU, on the clock on a
            GPU).
        differences: of the headline metrics; none for what is compared with, and without it.

    Examples:
        >>> compare(variants, results)[0].metrics['bbox_mAP'].mean  # doctest: +SKIP
    """

    variant: Variant
    seeds: tuple[int, ...]
    metrics: dict[str, Spread]
    gaps: dict[str, float]
    costs: dict[str, float]
    differences: dict[str, Difference]


def compare(
    variants: Sequence[Variant], results: Mapping[Run, Result], against: str = BASELINE
) -> list[Row]:
    """A row per variant that has a result, in the order of ``variants``.

    Args:
        variants: what gets a row.
        results: of their runs.
        against: the variant that all are compared with.
    """
    by_variant = {
        variant: {run.seed: result for run, result in results.items() if run.variant == variant}
        for variant in variants
    }
    base = next((by_variant[variant] for variant in variants if variant.name == against), {})
    return [
        _row(variant, by_seed, base, variant.name == against)
        for variant, by_seed in by_variant.items()
        if by_seed
    ]


def repeated(rows: Sequence[Row]) -> list[Row]:
    """The rows with several seeds, or all if none has: what a short table or an image shows."""
    return [row for row in rows if len(row.seeds) > 1] or list(rows)


def _row(
    variant: Variant, by_seed: Mapping[int, Result], base: Mapping[int, Result], is_base: bool
) -> Row:
    results = list(by_seed.values())
    costs = _means([result['cost'] for result in results])
    ratios = [r for result in results if (r := _train_ratio(result, base.values())) is not None]
    if ratios:
        costs['train_ratio'] = fmean(ratios)
    shared = sorted(seed for seed in set(by_seed) & set(base) if _paired(by_seed[seed], base[seed]))
    differences = {}
    if shared and not is_base:
        differences = {name: _difference(name, by_seed, base, shared) for name in HEADLINE}
    return Row(
        variant,
        tuple(sorted(by_seed)),
        {name: _spread(values) for name, values in _columns([r['figures'] for r in results])},
        {
            name: fmean(_gap(result, name) for result in results)
            for name in HEADLINE
            if all(result['train_figures'].get(name) is not None for result in results)
        },
        costs,
        differences,
    )


def _train_ratio(result: Result, base: Iterable[Result]) -> float | None:
    """Training time to that of the baseline on the same kind of machine; None without one."""
    where = result['where']
    clock = 'train_seconds' if where['on_gpu'] else 'train_cpu_seconds'
    same = [r['cost'].get(clock) for r in base if _machine(r['where']) == _machine(where)]
    times = [time for time in same if time is not None]
    ours = result['cost'].get(clock)
    return ours / fmean(times) if times and ours is not None else None


def _machine(where: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(where.get(key) for key in ('device', 'precision', 'threads'))


def _paired(ours: Result, theirs: Result) -> bool:
    """Whether both were evaluated on the same images and boxes."""
    return ours['judged_on'] == theirs['judged_on']


def _difference(
    name: str, ours: Mapping[int, Result], theirs: Mapping[int, Result], seeds: Sequence[int]
) -> Difference:
    def resampled(of: Mapping[int, Result]) -> dict[int, Any]:
        return {seed: unpacked(of[seed]['resampled'][name]) for seed in seeds}

    low, high = difference_interval(resampled(ours), resampled(theirs))
    mean = fmean(ours[s]['figures'][name] - theirs[s]['figures'][name] for s in seeds)
    return Difference(mean, low, high, len(seeds))


def _gap(result: Result, name: str) -> float:
    return result['train_figures'][name] - result['figures'][name]


def _columns(dicts: Sequence[Mapping[str, float | None]]) -> list[tuple[str, list[float]]]:
    """Values per key that every dict has a number for, in the order of the first."""
    keys = [key for key in dicts[0] if all(d.get(key) is not None for d in dicts)]
    return [(key, [float(d[key]) for d in dicts]) for key in keys]  # type: ignore[arg-type]


def _spread(values: Sequence[float]) -> Spread:
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None)


def _means(dicts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: fmean(values) for key, values in _columns(dicts)}


TITLES = {
    'bbox_mAP_small_classes': 'mAP of small classes',
    'bbox_mAP_s': 'AP_small',
    'bbox_mAP': 'mAP',
}
