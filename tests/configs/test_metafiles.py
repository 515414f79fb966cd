"""What the metafiles say was measured stands in docs/results.md."""

import re
from pathlib import Path

import pytest
import yaml

from abc_mmdet.study.variants import Ablation

ROOT = Path(__file__).parents[2]
METAFILES = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
RESULTS = (ROOT / 'docs/results.md').read_text()


def read(metafile: str) -> dict:
    return yaml.safe_load((ROOT / metafile).read_text())


def table(text: str) -> list[list[str]]:
    """Rows of the tables in a text, cell by cell, without what is only for the eye."""
    lines = [line for line in text.splitlines() if line.startswith('|')]
    return [[cell.strip(' *') for cell in line.strip('|').split('|')] for line in lines]


def test_every_folder_with_experiments_is_described() -> None:
    folders = {path.parent for path in ROOT.glob('configs/**/*.py') if '_base_' not in path.parts}
    assert {ROOT / metafile for metafile in METAFILES} == {f / 'metafile.yml' for f in folders}
    for folder in folders:
        assert (folder / 'README.md').read_text().startswith('# ')


@pytest.mark.parametrize('metafile', METAFILES)
def test_a_metafile_names_what_there_is(metafile: str) -> None:
    content = read(metafile)
    names = [collection['Name'] for collection in content['Collections']]
    for collection in content['Collections']:
        assert (ROOT / collection['README']).is_file()
    for model in content['Models']:
        assert model['In Collection'] in names
        assert (ROOT / model['Config']).parent == (ROOT / metafile).parent
        assert (ROOT / model['Config']).is_file()
    assert len({model['Name'] for model in content['Models']}) == len(content['Models'])


@pytest.mark.parametrize(
    ('ablation', 'prefix', 'sections'),
    [
        (
            'ablation_coco',
            'yolox_nano',
            {'HIT-UAV': 'ablation_coco_hituav_cpu', 'DeepPCB': 'ablation_coco_deeppcb_cpu'},
        ),
        ('ablation_events', 'events', {'synthetic events': 'ablation_events_cpu'}),
    ],
    ids=['coco', 'events'],
)
def test_the_figures_of_a_study_are_those_of_the_results(
    ablation: str, prefix: str, sections: dict[str, str]
) -> None:
    """Every measured variant is there, with its means and seeds, and no other."""
    expected = {}
    for dataset, name in sections.items():
        text = re.search(f'<!-- {name} begin -->(.*?)<!-- {name} end -->', RESULTS, re.S)[1]
        accuracy, cost = (table(t) for t in re.findall(r'(?:^\|.*\n)+', text, re.M))
        for row in accuracy[2:]:
            small_classes, small, all_boxes = (float(row[i].split()[0]) for i in (2, 4, 6))
            expected[row[0], dataset] = [int(row[1]), all_boxes, small, small_classes]
        for row in cost[2:]:
            expected[row[0], dataset] += [float(row[5]), float(row[6])]
    found = {}
    variants = Ablation(ROOT / 'configs' / ablation).table
    for model in read(f'configs/{ablation}/metafile.yml')['Models']:
        title = variants[model['Metadata']['Variant']]['title']
        assert model['Name'] == f'{prefix}_{model["Metadata"]["Variant"]}'
        for result in model['Results']:
            metrics = result['Metrics']
            found[title, result['Dataset']] = [
                result['Seeds'],
                metrics['box AP'] / 100,
                metrics['box AP small'] / 100,
                metrics['box AP of small classes'] / 100,
                # measured on the first data set
                expected[title, result['Dataset']][4]
                if result is not model['Results'][0]
                else model['Metadata']['FLOPs'] / 1e9,
                model['Metadata']['Parameters'] / 1e6,
            ]
    assert found == {key: pytest.approx(value) for key, value in expected.items()}


@pytest.mark.parametrize(
    ('metafile', 'heading', 'titles'),
    [
        (
            'configs/frames/metafile.yml',
            'YOLOX-s at 640x384',
            ['baseline, 3 levels', '4 levels', 'ABC as published', 'ABC, train-only P1', 'strides'],
        ),
        (
            'configs/metafile.yml',
            'The same for RVT-B',
            ['baseline, 3 levels', '4 levels', 'ABC as published', 'ABC, train-only P1'],
        ),
    ],
)
def test_costs_are_those_of_the_results(metafile: str, heading: str, titles: list[str]) -> None:
    rows = table(re.search(r'(?:^\|.*\n)+', RESULTS[RESULTS.index(heading) :], re.M)[0])[2:]
    measured = [
        (row[0].startswith(t), row[-2], row[-1]) for row, t in zip(rows, titles, strict=True)
    ]
    models = [model['Metadata'] for model in read(metafile)['Models']]
    assert [
        (True, f'{m["Parameters"] / 1e6:.3g} M', f'{m["FLOPs"] / 1e9:.3g}') for m in models
    ] == measured


def test_figures_of_the_small_configs_are_those_of_the_results() -> None:
    models = {Path(m['Config']).stem: m for m in read('configs/small/metafile.yml')['Models']}
    for name, heading, row in (
        ('baseline_3level_hituav', '## ABC against its baseline', 'baseline, 3 levels'),
        ('abc_basic_hituav', '## ABC against its baseline', 'ABC as published'),
        ('abc_synthetic_events', '## Demo of the event path', 'streamed'),
    ):
        metrics = models[name]['Results'][0]['Metrics']
        rows = {title: figures for title, *figures in table(RESULTS[RESULTS.index(heading) :])[:4]}
        assert [f'{value / 100:.3f}' for value in metrics.values()] == rows[row][: len(metrics)]
    flops = [m['Metadata']['FLOPs'] / 1e9 for m in models.values() if 'Metadata' in m]
    assert '({1} against {0} GFLOPs at 512x416)'.format(*flops) in RESULTS
