"""The commands of docs/read_the_report.md, and what the tool says to a user's mistakes."""

import json
import os
import re
import runpy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path

import pytest
import torch
from mmengine.dataset import pseudo_collate

from abc_mmdet.apis import load_experiment
from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare
from mmdet.registry import DATASETS, MODELS

from ..custom_dataset.events import record
from ..warm_python import python

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs' / 'read_the_report.md').read_text()
COMMANDS = [
    command.replace('\\\n', ' ')
    for block in re.findall(r'```bash\n(.*?)```', PAGE, re.S)
    for command in re.split(r'(?<!\\)\n', block.strip())
]
TOOL = str(ROOT / 'tools' / 'analysis_tools' / 'report.py')
CONFIG = str(ROOT / 'configs' / 'small' / 'baseline_3level_hituav.py')
CONFIGS = {
    'baseline': CONFIG,
    'train_only_p1': str(ROOT / 'configs' / 'ablation_coco' / 'variants.py'),
}
CLASSES = ('Person', 'Vehicle', 'Bicycle')


@pytest.fixture(scope='module')
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames under HIT-UAV's layout, and two networks that have trained for no time at all.

    What the first network happens to find is, in part and somewhat moved, the ground truth.
    """
    user = tmp_path_factory.mktemp('user')
    data = user / 'data'
    prepare(data, Recipe(train=1, val=3, width=192, height=128, seed=2))
    (data / 'val').rename(data / 'images')
    content = json.loads((data / 'annotations' / 'val.json').read_text())
    for image in content['images']:
        image['file_name'] = Path(image['file_name']).name
    content['categories'] = [dict(id=i + 7, name=name) for i, name in enumerate(CLASSES)]
    content['annotations'] = []
    write(data, content)
    for seed, name in enumerate(CONFIGS):
        work_dir = user / 'work_dirs' / name
        log = work_dir / '20260101_000000' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        entries = [
            {'loss': 9.0 / step, 'conflict/s8_cosine': 0.1 * step, 'step': step}
            for step in range(1, 5)
        ]
        log.write_text('\n'.join(map(json.dumps, entries)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv('ABC_ABLATION_VARIANT', 'aux_p1_p2')  # as the document does
            config = load_experiment(CONFIGS[name], dict(data_root=str(data)))
        torch.manual_seed(seed)
        model = MODELS.build(config.model).eval()
        model.init_weights()
        for parameter, values in model.named_parameters():
            if re.search(r'multi_level_conv_(obj|cls)\.\d\.bias', parameter):
                values.data += 4.0  # else it would be sure of nothing
        meta = dict(dataset_meta=dict(classes=CLASSES), iter=1, seed=0)
        torch.save(dict(state_dict=model.state_dict(), meta=meta), work_dir / 'iter_1000.pth')
        if name == 'baseline':
            content['annotations'] = partly_found(model, config)
            write(data, content)
    return user


def write(data: Path, content: dict) -> None:
    (data / 'annotations' / 'val.json').write_text(json.dumps(content))


def partly_found(model: torch.nn.Module, config: dict) -> list[dict]:
    dataset = DATASETS.build(config.test_dataloader.dataset)
    annotations = []
    for i in range(len(dataset)):
        with torch.no_grad():
            (sample,) = model.test_step(pseudo_collate([dataset[i]]))
        found = sample.pred_instances
        # what crosses the border is cut by the evaluation
        inside = (found.bboxes[:, :2] >= 0).all(1) & (found.bboxes[:, 2] <= 192)
        found = found[inside & (found.bboxes[:, 3] <= 128)]
        for k, (box, label) in enumerate(
            zip(found.bboxes[:24:2].tolist(), found.labels[:24:2].tolist(), strict=True)
        ):
            w, h = box[2] - box[0], box[3] - box[1]
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=sample.img_id,
                    category_id=label + 7,
                    bbox=[box[0] + 0.1 * (k % 3) * w, box[1], w, h],
                    area=w * h,
                    iscrowd=0,
                )
            )
    return annotations


@pytest.fixture(scope='module')
def outputs(user: Path) -> list[str]:
    """Of each command of the document, with the user's folders."""
    environment = {**os.environ, 'ABC_HITUAV': str(user / 'data'), 'ABC_VERBOSE': '1'}

    def run_it(command: str) -> str:
        command = command.replace('python ', f'{python()} ', 1)
        command = command.replace('work_dirs/', f'{user}/work_dirs/')
        done = subprocess.run(
            command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f'{command}\n{done.stdout}\n{done.stderr}'
        return done.stdout

    *tests, report = COMMANDS
    with ThreadPoolExecutor() as side_by_side:
        texts = list(side_by_side.map(run_it, tests))
    return [*texts, run_it(report)]


def test_the_page_shows_what_the_test_prints(outputs: list[str], user: Path) -> None:
    *tests, report = outputs
    assert len(tests) == 2
    page = (user / 'work_dirs' / 'report.html').read_text()
    text = ' '.join(unescape(re.sub(r'<[^>]*>', ' ', page)).split())
    for name, printed in zip(CONFIGS, tests, strict=True):
        figures = dict(re.findall(r'^(bbox_mAP\w*): (\d\.\d{3})$', printed, re.M))
        assert len(figures) > 6
        (line,) = [line for line in report.splitlines() if line.startswith(f'{name} bbox_mAP ')]
        words = line.split()[1:]
        assert dict(zip(words[::2], words[1::2], strict=True)) == figures
        for figure in ('bbox_mAP', 'bbox_mAP_50', 'bbox_mAP_small_classes'):
            assert figures[figure] in text
        if name == 'baseline':
            assert float(figures['bbox_mAP']) > 0.1, 'there is something to compare'
    assert 'Conflict of the two tasks' in text
    assert page.count('<figure>') > 4
    assert sorted(p.name for p in (user / 'work_dirs').iterdir()) == [
        'baseline', 'report.html', 'train_only_p1'
    ]  # fmt: skip


@pytest.mark.slow
def test_event_recordings(random_weights, tmp_path: Path) -> None:
    """The page shows what tools/test.py prints, under both protocols."""
    boxes = [[(2 + 2 * i, 4, 24, 30, 0), (40, 20, 28, 26, 1), (9, 40, 8, 8, 2)] for i in range(8)]
    for name in ('val/a', 'val/b'):
        record(tmp_path / name, boxes, seed=len(name))
    config = str(ROOT / 'configs/small/abc_synthetic_events.py')
    options = [f'data_root={tmp_path}', 'test_evaluator.protocol=(coco,prophesee)']
    random_weights(load_experiment(config), tmp_path / 'weights.pth')

    def run_it(*arguments: str | Path) -> str:
        command = [python(), *map(str, arguments), '--cfg-options', *options]
        environment = {**os.environ, 'ABC_VERBOSE': '1'}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f'{command}\n{done.stdout}\n{done.stderr}'
        return done.stdout

    results = tmp_path / 'found.bbox.json'
    places = ['--work-dir', tmp_path / 'work', '--out', results]
    printed = run_it('tools/test.py', config, tmp_path / 'weights.pth', *places)
    figures = dict(re.findall(r'^(bbox_mAP\w*): (\d\.\d{3})$', printed, re.M))
    assert 'bbox_mAP_prophesee' in figures
    out = tmp_path / 'report.html'
    report = run_it(TOOL, config, '--results', f'a={results}', '--out', out)
    (line,) = [line for line in report.splitlines() if line.startswith('a bbox_mAP ')]
    words = line.split()[1:]
    assert dict(zip(words[::2], words[1::2], strict=True)) == figures
    assert '<dt>labelled frames</dt><dd>16<' in out.read_text()
    assert out.read_text().count('<figure>') > 4


def test_image_of_the_page() -> None:
    (name,) = re.findall(r'!\[.*\]\((.*)\)', PAGE)
    assert (ROOT / 'docs' / name).stat().st_size < 300_000


def run(monkeypatch: pytest.MonkeyPatch, data: Path, *arguments: str | Path) -> int | None:
    """Exit code of the tool, in this process: importing everything is most of its time."""
    options = ('--cfg-options', f'data_root={data}')
    monkeypatch.setattr(sys, 'argv', [TOOL, CONFIG, *map(str, arguments), *options])
    try:
        runpy.run_path(TOOL, run_name='__main__')
    except SystemExit as stop:
        return stop.code
    return None


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--results', 'a={f}/none.json'], 'no results {f}/none.json'),
        (['--results', 'a={f}/other.json'], 'results of another data set'),
        (['--results', 'a={f}/empty.json'], 'None of the results has a detection'),
        (['--results', 'a={f}/good.json', 'a={f}/good.json'], "['a'] are named more than once"),
        (['--results', 'a={f}/good.json', '--logs', 'b={f}'], "--logs names ['b']"),
        (['--results', 'a={f}/good.json', '--logs', 'a={f}'], 'no log of a training'),
        (['--results', 'a={f}/good.json', '--score-thr', '3'], '3 is not between 0 and 1'),
        (['--results', '=x'], 'not of the form NAME=PATH'),
    ],
    ids=lambda value: '' if isinstance(value, str) else ' '.join(value),
)
def test_mistakes_end_in_one_message(
    user: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    arguments: list[str],
    message: str,
) -> None:
    entry = dict(image_id=0, category_id=7, bbox=[1, 2, 3, 4], score=0.5)
    contents = {'good': [entry], 'other': [dict(entry, image_id=999)], 'empty': []}
    for name, content in contents.items():
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    arguments = [argument.replace('{f}', str(tmp_path)) for argument in arguments]
    out = tmp_path / 'report.html'
    assert run(monkeypatch, user / 'data', *arguments, '--out', out) == 2
    printed = capsys.readouterr().err
    assert message.replace('{f}', str(tmp_path)) in printed
    assert 'Traceback' not in printed
    assert not out.exists()


def test_missing_data_and_images(
    user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    results = tmp_path / 'results.json'
    ids = [i['id'] for i in json.loads((user / 'data/annotations/val.json').read_text())['images']]
    entry = dict(image_id=ids[0], category_id=7, bbox=[1, 2, 3, 4], score=0.5)
    results.write_text(json.dumps([entry]))
    arguments = ['--results', f'a={results}', '--out', tmp_path / 'report.html']
    assert run(monkeypatch, tmp_path / 'nowhere', *arguments) == 2
    assert 'data_root=DIR' in capsys.readouterr().err
    bare = tmp_path / 'bare'
    (bare / 'annotations').mkdir(parents=True)
    (bare / 'images').mkdir()
    annotations = (user / 'data/annotations/val.json').read_bytes()
    (bare / 'annotations' / 'val.json').write_bytes(annotations)
    assert run(monkeypatch, bare, *arguments) == 2
    assert '--gallery 0' in capsys.readouterr().err
    assert run(monkeypatch, bare, *arguments, '--gallery', '0') is None
    assert 'open it in a browser' in capsys.readouterr().out
    assert '<figure>' not in (tmp_path / 'report.html').read_text()
