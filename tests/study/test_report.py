"""Tables, sections and images of made-up results."""

import json
from pathlib import Path

import numpy as np
import pytest

from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.bootstrap import HEADLINE
from abc_mmdet.study.comparison import Row, Spread, compare
from abc_mmdet.study.plots import YARDSTICK, cost_plot
from abc_mmdet.study.report import (
    accuracy_table,
    cost_table,
    fill_section,
    headline_table,
    write_report,
)
from abc_mmdet.study.run_files import RunFiles, packed, read_json, unpacked
from abc_mmdet.study.variants import Run, Variant
from abc_mmdet.utils.atomic_write import write_json

BASE, BETTER, NOISY, FAILED = (
    Variant(name, title, order, 'why', 'hash')
    for order, (name, title) in enumerate(
        [('baseline', '3 levels'), ('better', 'better'), ('noisy', 'noisy'), ('bad', 'bad')]
    )
)


def result(seed: int, gain: float, noise: float = 0.0, config: str = 'hash', **curves) -> dict:
    rng = np.random.default_rng(seed)
    ap = 0.2 + 0.01 * seed + gain
    images = rng.normal(0, 0.02, 200)  # the same for all variants of a seed
    own = np.random.default_rng(int(gain * 1e6) + seed).normal(0, noise, 200) if noise else 0
    return dict(
        config=config,
        figures={**dict.fromkeys(HEADLINE, ap), 'Person_precision': None},
        train_figures=dict.fromkeys(HEADLINE, ap + 0.05),
        cost=dict(
            train_seconds=100.0 + 1000 * seed,
            train_cpu_seconds=80.0 * (1 + 10 * gain),
            peak_memory_mb=900.0,
            latency_ratio=1.0,
            gflops=1.5,
            parameters_m=0.5,
        ),
        where=dict(on_gpu=False),
        judged_on=dict(images=30, truth='abc'),
        curves={'iteration': [10, 20, 30], 'loss_cls': [3.0, 2.0, 1.0], **curves},
        resampled=packed(dict.fromkeys(HEADLINE, ap + images + own)),
    )


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    files = RunFiles(tmp_path / 'docs/measurements/ablation_x', tmp_path / 'work')
    for seed in (0, 1):
        write_json(files.result(Run(BASE, seed)), result(seed, 0.0))
        write_json(files.result(Run(BETTER, seed)), result(seed, 0.03, conflict=[0.1, 0.2, None]))
    write_json(files.result(Run(NOISY, 0)), result(0, 0.01, noise=0.05))
    failed = Run(FAILED, 0)
    files.open_log(failed).close()
    (files.folder(failed) / 'error.txt').write_text('ValueError: no such\nthing')
    files.record_failure(failed, code=1)
    return files


VARIANTS = (BASE, BETTER, NOISY, FAILED)
RUNS = [Run(variant, seed) for seed in (0, 1) for variant in VARIANTS]


def test_rows_and_tables(files: RunFiles) -> None:
    rows = compare(VARIANTS, files.stored(RUNS))
    assert [row.variant.name for row in rows] == ['baseline', 'better', 'noisy']
    base, better, noisy = rows
    assert base.differences == {}
    assert better.differences['bbox_mAP'].mean == pytest.approx(0.03)
    assert better.differences['bbox_mAP'].seeds == 2 and better.differences['bbox_mAP'].is_clear
    assert noisy.differences['bbox_mAP'].seeds == 1 and not noisy.differences['bbox_mAP'].is_clear
    assert better.costs['train_ratio'] == pytest.approx(1.3), 'of the processor, not on the clock'
    assert base.gaps['bbox_mAP'] == pytest.approx(0.05)
    assert 'Person_precision' not in base.metrics, 'a class without ground truth has no mean'

    lines = accuracy_table(rows).splitlines()
    assert lines[2].startswith('| 3 levels | 2 | 0.205 ± 0.007 | - |')
    assert lines[3].startswith('| better | 2 | 0.235 ± 0.007 | **+0.030 [+0.030, +0.030]** |')
    assert lines[4].startswith('| noisy | 1 | 0.210 | +0.010 [')
    assert '| better | 1.30 | 600 | 900 | 1.00 | 1.50 | 0.50 | 0.050 |' in cost_table(rows)
    assert '| better | 2 | **0.235 ± 0.007** |' in headline_table(rows)
    widths = {line.count('|') for line in lines}
    assert len(widths) == 1


def test_other_images_cannot_be_paired(files: RunFiles) -> None:
    other = result(0, 0.03) | dict(judged_on=dict(images=31, truth='abc'))
    write_json(files.result(Run(BETTER, 0)), other)
    row = compare(VARIANTS, files.stored(RUNS))[1]
    assert row.differences['bbox_mAP'].seeds == 1


def test_one_seed_is_never_clear(files: RunFiles) -> None:
    files.result(Run(BETTER, 1)).unlink()
    rows = compare(VARIANTS, files.stored(RUNS))
    difference = rows[1].differences['bbox_mAP']
    assert difference.low > 0 and not difference.is_clear
    assert '| better | 1 | 0.230 | +0.030 [+0.030, +0.030] (images) |' in accuracy_table(rows)
    assert 'better' not in headline_table(rows) and '| better |' in headline_table(rows[1:])


def test_document_readme_summary_and_images(files: RunFiles, tmp_path: Path) -> None:
    document, readme = tmp_path / 'docs/results.md', tmp_path / 'README.md'
    document.write_text(
        '# Title\n\n<!-- ablation_x begin -->\nstale text\n<!-- ablation_x end -->\n\nThe rest.\n'
    )
    marks = '<!-- ablation_x_headline begin -->', '<!-- ablation_x_headline end -->'
    readme.write_text('before\n' + '\n'.join(marks) + '\nafter\n')
    write_json(files.result(Run(NOISY, 0)), result(0, 0.01, config='former'))
    write_report('ablation_x', VARIANTS, RUNS, files, document, readme)

    text = document.read_text()
    assert text.startswith('# Title\n\n<!-- ablation_x begin -->\n`ablation_x`: 5 of 8 runs')
    assert text.endswith('<!-- ablation_x end -->\n\nThe rest.\n') and 'stale' not in text
    assert 'bad, seed 0, failed: `ValueError: no such thing`' in text
    assert 'changed since these runs were done: noisy_seed0' in text
    for name in ('cost', 'losses', 'conflicts'):
        image = files.results / f'{name}.png'
        assert f'](measurements/ablation_x/{name}.png)' in text
        assert image.read_bytes().startswith(b'\x89PNG') and image.stat().st_size < 300_000
    summary = json.loads((files.results / 'summary.json').read_text())
    assert summary['better']['differences']['bbox_mAP']['mean'] == pytest.approx(0.03)
    short = readme.read_text()
    assert '| better | 2 | **0.235 ± 0.007** |' in short
    assert short.startswith('before\n') and short.endswith('after\n')

    write_report('ablation_x', VARIANTS, RUNS, files, document, readme)
    assert (document.read_text(), readme.read_text()) == (text, short), 'again: the same'


def test_resolution_curve_is_the_yardstick() -> None:
    def row(name: str, figure: float, gflops: float) -> Row:
        figures = {'bbox_mAP_small_classes': Spread(figure, None)}
        variant = Variant(name, name, 0, '', '')
        return Row(variant, (0,), figures, {}, dict(gflops=gflops, train_ratio=1.0), {})

    rows = [row('baseline', 0.2, 1.0), row('better', 0.3, 1.0), row('input_150', 0.25, 2.3)]
    rows.append(row('input_075', 0.15, 0.6))
    figure = cost_plot(rows)
    (line,) = [x for x in figure.axes[1].lines if x.get_label() == YARDSTICK]
    assert list(line.get_xdata()) == [0.6, 1.0, 2.3]
    assert list(line.get_ydata()) == [0.15, 0.2, 0.25]
    alone = cost_plot(rows[:2])
    assert not [x for x in alone.axes[1].lines if x.get_label() == YARDSTICK]


def test_section_is_added_and_broken_marks_are_named(tmp_path: Path) -> None:
    document = tmp_path / 'a.md'
    assert not fill_section(document, 'x', 'text') and not document.exists()
    fill_section(document, 'x', 'text', add=True)
    document.write_text('Hello.\n' + document.read_text())
    fill_section(document, 'y', 'more', add=True)
    assert document.read_text() == (
        'Hello.\n<!-- x begin -->\ntext\n<!-- x end -->\n\n<!-- y begin -->\nmore\n<!-- y end -->\n'
    )
    document.write_text('<!-- x end -->\n<!-- x begin -->\n')
    with pytest.raises(UserError, match='begin -->'):
        fill_section(document, 'x', 'text')
    assert document.read_text() == '<!-- x end -->\n<!-- x begin -->\n'


def test_result_files_keep_what_they_are_given(tmp_path: Path) -> None:
    values = np.array([0.12346, 0.0, np.nan])
    content = dict(nested=dict(a=[1.0, float('nan')]), text='ü', resampled=packed(dict(x=values)))
    write_json(tmp_path / 'deep/a.json', content)
    loaded = read_json(tmp_path / 'deep/a.json')
    assert loaded['nested'] == dict(a=[1.0, None]) and loaded['text'] == 'ü'
    np.testing.assert_allclose(unpacked(loaded['resampled']['x']), values, atol=5e-5)
    assert [p.name for p in (tmp_path / 'deep').iterdir()] == ['a.json']
    assert read_json(tmp_path / 'none.json') is None
