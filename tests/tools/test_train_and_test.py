"""The tools as users run them: processes, files and exit codes."""

import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from abc_mmdet.apis.test_record import read_record
from abc_mmdet.deployment.mmdet_export import to_mmdet_config
from mmdet.registry import MODELS

from ..warm_python import python

ROOT = Path(__file__).parents[2]
TINY = [
    'model.backbone.widen_factor=0.125',
    'model.neck.in_channels=[16,32,64,128]',
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'test_dataloader.num_workers=0',
    'test_dataloader.persistent_workers=False',
    'train_cfg.max_iters=4',
    'train_cfg.val_interval=4',
    'default_hooks.checkpoint.interval=2',
    'default_hooks.logger.interval=1',
    'model.test_cfg.score_thr=0.0',
]
NWD = [  # in the auxiliary task, its constant to be measured
    f'model.bbox_head.aux_head.train_cfg.assigner.{field}'
    for field in ('type=FastSimOTAAssigner', 'iou_calculator.type=NWDOverlaps2D')
]
CONFIG = 'configs/small/abc_synthetic.py'


def run(*command: str | Path, program: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program or python(), *map(str, command)], capture_output=True, text=True, cwd=ROOT
    )


def tool(
    name: str, *arguments: str | Path, options: list[str] = TINY, program: str | None = None
) -> str:
    """Run a tool that has to succeed; its output."""
    command = (f'tools/{name}', *arguments, '--cfg-options', *options)
    result = run(*command, program=program)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stderr + result.stdout  # warnings first


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> str:
    root = tmp_path_factory.mktemp('data') / 'synthetic'
    result = run(
        'tools/dataset_converters/synthetic_traffic.py',
        root,
        '--train=6',
        '--val=3',
        '--size=128x96',
    )
    assert result.returncode == 0, result.stderr
    return f'data_root={root}'


@pytest.fixture(scope='module')
def trained(data: str, tmp_path_factory) -> tuple[Path, str]:
    work_dir = tmp_path_factory.mktemp('work')
    output = tool(
        *('train.py', CONFIG, '--work-dir', work_dir, '--tensorboard', '--auto-scale-lr'),
        options=[*TINY, *NWD, data],
        program=sys.executable,  # also what the imports print, and the config's format
    )
    return work_dir, output


def saved_optimizer(work_dir: Path) -> dict:
    return torch.load(work_dir / 'iter_4.pth', weights_only=False)['optimizer']


def test_training_logs_both_tasks_with_eta_and_saves(trained: tuple[Path, str]) -> None:
    work_dir, output = trained
    (log,) = work_dir.glob('*/*.log')
    logged = log.read_text()
    assert 'loss_bbox' in logged
    assert 'aux_loss_bbox' in logged
    assert re.search(r'^iter 2/4  loss \d+\.\d{4}  lr .*  eta 0:\d\d:\d\d  ', output, re.M)
    assert output.count('Scaling the original LR by 0.5.') == 1, 'a batch of 2, lr is for 4'
    (lr,) = {group['initial_lr'] for group in saved_optimizer(work_dir)['param_groups']}
    assert lr == Config.fromfile(ROOT / CONFIG).lr / 2
    iterations = [line for line in logged.splitlines() if 'Iter(train)' in line]
    assert ['conflict/s4_cosine' in line for line in iterations] == [False, True, True, True]
    assert output.count('\nall  ') == 1, 'it evaluates once, at the end'
    last = re.escape(str(work_dir / 'iter_4.pth'))
    assert re.match(
        rf'result: mAP \d.*, small classes .*, checkpoint {last}$', output.splitlines()[-1]
    )
    assert Path((work_dir / 'last_checkpoint').read_text()) == work_dir / 'iter_4.pth'
    assert list(work_dir.rglob('events.out.tfevents*'))
    assert (work_dir / 'best_coco_bbox_mAP_iter_4.pth').exists()


def test_the_console_has_what_a_person_reads_and_the_log_has_all(
    trained: tuple[Path, str],
) -> None:
    work_dir, output = trained
    lines = output.splitlines()
    assert len(lines) < 60
    facts = {line[:11].strip(): line[12:] for line in lines}
    assert facts['training'].startswith('6 images of ') and facts['training'].endswith('batch 2')
    assert facts['validation'].startswith('3 images of ')
    assert facts['classes'].startswith('8: pedestrian, car, ')
    assert facts['auxiliary'] == '4: pedestrian, bicycle, motorbike, wheelchair'
    assert facts['weights'] == 'from scratch' and facts['length'] == '4 iterations'
    (log,) = work_dir.glob('*/*.log')
    assert facts['log'] == str(log)
    logged = log.read_text()
    for part in ('System environment:', 'Config:', 'Hooks will be executed', 'Iter(val) [1/1]'):
        assert part in logged and part not in output
    for chatter in ('index created', 'Loading and preparing', 'paramwise_options', 'mmengine -'):
        assert chatter not in output


def test_evaluation_prints_metrics_and_draws(
    trained: tuple[Path, str], data: str, tmp_path
) -> None:
    work_dir, _ = trained
    output = tool(
        *('test.py', CONFIG, work_dir / 'iter_4.pth', '--work-dir', tmp_path),
        *('--show-dir', 'images', '--out', tmp_path / 'detections.pkl'),
        options=[*TINY, data],
    )
    images = Path(re.search(r'^images: (.*)$', output, re.M)[1])
    assert len(list(images.iterdir())) == 3
    last = output.strip().splitlines()[-20:]
    assert sum(line.startswith('small classes ') for line in last) == 1, 'the table, once'
    assert re.match(r'result: mAP \d\.\d{3}, AP_small .*, checkpoint .*iter_4\.pth$', last[-1])
    assert len(pickle.loads((tmp_path / 'detections.pkl').read_bytes())) == 3


def test_resumes_where_it_was(trained: tuple[Path, str], data: str) -> None:
    work_dir, first_output = trained
    options = [*TINY, *NWD, data, 'train_cfg.max_iters=6', 'train_cfg.val_interval=6']
    output = tool('train.py', CONFIG, '--work-dir', work_dir, '--resume', options=options)
    assert 'resumed epoch: 0, iter: 4' in output
    assert re.search('^iter 5/6 ', output, re.M)
    assert not re.search('^iter 4/6 ', output, re.M)
    assert (work_dir / 'iter_6.pth').exists()
    constants = [re.findall(r'NWD constant of .*', text) for text in (first_output, output)]
    assert constants[0] == constants[1]
    assert len(constants[0]) == 1
    hub = torch.load(work_dir / 'iter_4.pth', weights_only=False)['message_hub']
    assert hub['runtime_info']['nwd_constants']['bbox_head.aux_head'] > 0


def test_plain_weights_fit_the_plain_detector(trained: tuple[Path, str], tmp_path) -> None:
    work_dir, _ = trained
    plain = tmp_path / 'plain.pth'
    result = run('tools/model_converters/abc_to_plain.py', work_dir / 'iter_4.pth', plain)
    assert result.returncode == 0, result.stderr
    config = Config.fromfile(work_dir / 'abc_synthetic.py')
    config, _ = to_mmdet_config(config)
    MODELS.build(config.model).load_state_dict(torch.load(plain)['state_dict'])  # strict


def test_time_augmentation_runs(trained: tuple[Path, str], data: str, tmp_path) -> None:
    work_dir, _ = trained
    arguments = (CONFIG, work_dir / 'iter_4.pth', '--tta', '--work-dir', tmp_path)
    results = tmp_path / 'found.bbox.json'
    output = tool('test.py', *arguments, '--out', results, options=[*TINY, data])
    assert 'result: mAP ' in output
    record = read_record(results)
    assert record.checkpoint == str(work_dir / 'iter_4.pth') and record.config.endswith(CONFIG)
    assert (record.images, record.device) == (3, 'CPU')
    assert record.input_size == (256, 192), '128 x 96, scaled into 320 x 192'
    assert record.milliseconds > 0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['train.py', 'configs/nowhere.py'], 'no config file configs/nowhere.py'),
        (['train.py', CONFIG, '--resume', 'nowhere.pth'], '--resume: there is no checkpoint'),
        (['train.py', CONFIG, '--amp'], '--amp needs a GPU'),
        (['train.py', CONFIG, '--cfg-options', 'data_root=/nowhere'], 'data_root=DIR'),
        (['train.py', CONFIG, '--cfg-options', 'model.neck.typo=1'], 'typo'),
        (['train.py', CONFIG, '--cfg-options', 'param_scheduler.1.end=1'], 'end should be larger'),
        (
            ['train.py', CONFIG, '--cfg-options', 'default_hooks.checkpoint.save_best=mAP'],
            'It has coco/bbox_mAP, ',
        ),
        (['train.py', CONFIG, '--cfg-options', 'small_classes=[2,3,4]'], "'bicycle', 'bus'"),
        (['train.py', CONFIG, '--cfg-options', 'classes=(car,)'], 'small_classes names'),
        (
            # in the model as in the data set, but not in the order of the annotation file
            [
                *('train.py', CONFIG, '--cfg-options'),
                'classes=(car,pedestrian,bicycle,bus,motorbike,truck,tram,wheelchair)',
            ],
            'order of the file',
        ),
        (['test.py', CONFIG, 'nowhere.pth'], 'there is no checkpoint nowhere.pth'),
        (['test.py', CONFIG, 'a.pth', '--out', 'a.json'], 'must end in .bbox.json or .pkl'),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, list) else '',
)
def test_mistakes_end_in_one_message(
    data: str, arguments: list[str], message: str, tmp_path
) -> None:
    if '--amp' in arguments and torch.cuda.is_available():
        pytest.skip('a GPU is here, so --amp is no mistake')
    if '--cfg-options' not in arguments:
        arguments = [*arguments, '--cfg-options']
    if not any(argument.startswith('data_root') for argument in arguments):
        arguments = [*arguments, data]
    name, *rest = arguments
    result = run(f'tools/{name}', *rest, *TINY, '--work-dir', tmp_path)
    assert result.returncode == 2, result.stdout + result.stderr
    assert 'Traceback' not in result.stdout + result.stderr
    assert message in result.stderr.split('error: ', 1)[1]
    assert not list(tmp_path.rglob('*.pth'))


def test_without_etram_it_says_what_to_do() -> None:
    config = 'configs/abc_sod_basic_100k.py'
    result = run('tools/train.py', config, '--cfg-options', 'data_root=/nowhere/etram')
    assert result.returncode == 2 and 'Traceback' not in result.stderr
    message = result.stderr.split('error: ', 1)[1]
    assert '/nowhere/etram/train/ does not exist' in message
    assert 'data_root=DIR' in message
    assert 'github.com/eventbasedvision/eTraM' in message, 'how to get it'
    convert, simulate, convert_simulated, train = re.findall(
        r'python (\S+\.py.*(?:\\\n.*)?)', message
    )
    assert 'event_recordings.py FOLDER data/etram --dataset etram' in convert
    assert 'synthetic_events.py' in simulate and 'event_recordings.py' in convert_simulated
    assert 'configs/small/abc_synthetic_events.py' in train
    assert all((ROOT / path).is_file() for path in re.findall(r'\S+\.py', message))
    (target,) = re.findall(r'make (\S+),', message)
    assert f'\n{target}:' in (ROOT / 'Makefile').read_text()
