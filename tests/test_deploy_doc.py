"""Every command and program of docs/deploy.md runs, with a tiny detector."""

import importlib.util
import json
import re
import runpy
import shlex
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from abc_mmdet.apis import load_experiment

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / 'docs' / 'deploy.md').read_text()
COMMANDS = [
    command.replace('\\\n', ' ')
    for block in re.findall(r'```bash\n(.*?)```', TEXT, re.S)
    for command in re.split(r'(?<!\\)\n', block.strip())
]
IN_PYTHON, TRACKED, RECORDED = re.findall(r'```python\n(.*?)```', TEXT, re.S)
CONFIG, CHECKPOINT = 'configs/frames/finetune_yolox_s.py', 'work_dirs/mine/iter_10000.pth'
TINY = {  # a train-only level, and three that stay
    'model.backbone.widen_factor': 0.125,
    'model.backbone.deepen_factor': 0.1,
    'model.neck.in_channels': [16, 32, 64, 128],
    'model.neck.num_aux_levels': 1,
    'model.bbox_head.main_head.strides': [8, 16, 32],
    'model.bbox_head.main_head.stacked_convs': 1,
}
HAS_ONNX = all(importlib.util.find_spec(name) for name in ('onnx', 'onnxruntime', 'onnxscript'))
needs_onnx = pytest.mark.skipif(not HAS_ONNX, reason="pip install 'abc_mmdet[onnx]'")


@pytest.fixture(scope='module')
def user(random_weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder, with all files the page names."""
    folder = tmp_path_factory.mktemp('user')
    for path in (CONFIG, CHECKPOINT, 'photos/crossing.jpg'):
        (folder / path).parent.mkdir(parents=True)
    config = load_experiment(str(ROOT / 'configs/small/abc_synthetic.py'), TINY)
    for loader in ('val_dataloader', 'test_dataloader'):
        for step in config[loader].dataset.pipeline:
            if step.type == 'Resize':
                step.scale = (128, 96)
    random_weights(config, folder / CHECKPOINT)
    config.dump(folder / CONFIG)
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    cv2.imwrite(str(folder / 'photos/crossing.jpg'), image)
    cv2.imwrite(str(folder / 'photos/tall.png'), image.transpose(1, 0, 2))
    video = cv2.VideoWriter(
        str(folder / 'street.mp4'), cv2.VideoWriter.fourcc(*'mp4v'), 5, (80, 60)
    )
    video.write(image)
    video.release()
    codec = cv2.VideoWriter.fourcc(*'MJPG')
    video = cv2.VideoWriter(str(folder / 'street.avi'), codec, 5, (80, 60))
    for number in range(3):
        video.write(np.roll(image, number, axis=1))
    video.release()
    return folder


def execute(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command of the page in this process, and in the user's folder."""
    python, tool, *arguments = shlex.split(command)
    assert python == 'python'
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, 'argv', [tool, *arguments])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(ROOT / tool), run_name='__main__')
    assert stop.value.code == 0, command


def found(folder: Path) -> dict:
    """Name of image to its detections, x, y, width, height, score."""
    content = json.loads((folder / 'detections.json').read_text())
    return {
        image['file_name']: np.array(
            [
                [*a['bbox'], a['score'], a['category_id']]
                for a in content['annotations']
                if a['image_id'] == image['id']
            ]
        )
        for image in content['images']
    }


def test_python(user: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(user)
    shown: dict = {}
    exec(IN_PYTHON, shown)
    assert cv2.imread('crossing_drawn.jpg').shape == (60, 80, 3)
    capsys.readouterr()
    exec(TRACKED, shown)
    assert len(shown['tracked']) == len(shown['tracked'].ids)


def test_tracking(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = [c for c in COMMANDS if '--track' in c]
    execute(command.replace('0.3', '0.2'), user, monkeypatch)
    lines = (user / 'tracked/tracks/street.avi.txt').read_text().splitlines()
    assert lines and {line.split(',')[0] for line in lines} <= {'1', '2', '3'}


def test_files(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = [c for c in COMMANDS if 'street.mp4' in c]
    execute(command, user, monkeypatch)
    written = {str(path.relative_to(user / 'found')) for path in (user / 'found').rglob('*.*')}
    images = {f'images/{name}' for name in ('crossing.jpg', 'tall.png', 'street.mp4')}
    assert written == {*images, 'detections.json', 'detections.csv'}


def test_slices(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = [c for c in COMMANDS if '--slice' in c]
    execute(command, user, monkeypatch)
    assert len(found(user / 'found_in_slices')) == 2


@pytest.mark.slow
@needs_onnx
def test_onnx(user: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    chosen = [c for c in COMMANDS if ' detector.onnx' in c]
    export, infer = (c for c in chosen if '--engine' not in c and 'tensorrt' not in c)
    execute(export, user, monkeypatch)
    assert 'maximum difference from PyTorch' in capfd.readouterr().out
    execute(f'{infer} --score-thr 0.1', user, monkeypatch)
    shown: dict = {}
    exec(RECORDED, shown)
    recorded = shown['recorded']
    assert recorded['classes'][:2] == ['pedestrian', 'car']
    assert recorded['strides'] == [8, 16, 32]
    assert recorded['transforms'] == [dict(type='Resize', scale=[128, 96], keep_ratio=True)]
    assert recorded['color'] == 'bgr'
    keys = re.search(r'The other keys: (.*?)\.\n', TEXT, re.S)[1]
    named = {*re.findall(r'`(\w+)`', keys), 'classes', 'color', 'transforms', 'preprocessor'}
    named.add('to_float32')
    assert named == set(recorded) - {'multiples', 'format'}

    command = COMMANDS[0].replace('street.mp4', '').replace('found', 'by_torch')
    execute(command.replace('0.3', '0.1'), user, monkeypatch)
    by_onnx, by_torch = found(user / 'found_by_onnx'), found(user / 'by_torch')
    assert list(by_onnx) == list(by_torch) == ['crossing.jpg', 'tall.png']
    assert sum(map(len, by_torch.values())) > 20
    for name, expected in by_torch.items():
        assert by_onnx[name].shape == expected.shape
        # Random weights find two classes so alike that the last digit decides for one of them
        is_like = np.abs(by_onnx[name][:, None] - expected[None]).max(axis=-1) < 0.01
        assert min(is_like.any(axis=0).mean(), is_like.any(axis=1).mean()) > 0.95

    if importlib.util.find_spec('openvino'):
        (command,) = [c for c in COMMANDS if '--engine openvino' in c]
        execute(f'{command} --score-thr 0.1', user, monkeypatch)
        assert list(found(user / 'found_by_openvino')) == list(by_onnx)


def test_tensorrt_is_refused_with_its_reason(
    user: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    (command,) = [c for c in COMMANDS if 'tensorrt' in c]
    monkeypatch.setitem(sys.modules, 'tensorrt', None)
    (user / 'detector.onnx').touch()
    monkeypatch.chdir(user)
    monkeypatch.setattr(sys, 'argv', shlex.split(command)[1:])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(ROOT / sys.argv[0]), run_name='__main__')
    assert stop.value.code == 2
    assert 'TensorRT is not installed here' in capfd.readouterr().err
    (user / 'detector.onnx').unlink()


@pytest.mark.slow
@needs_onnx
def test_onnx_in_8_bits(user: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    """With random weights nothing is found before or after, so nothing is lost."""
    truth = dict(
        images=[dict(id=1, file_name='crossing.jpg', width=80, height=60)],
        annotations=[
            dict(id=1, image_id=1, category_id=1, bbox=[20, 20, 12, 9], area=108, iscrowd=0)
        ],
        categories=[dict(id=1, name='pedestrian')],
    )
    (user / 'truth.json').write_text(json.dumps(truth))
    places = [f'{k}_dataloader.dataset.data_root=""' for k in ('train', 'val')]
    places += [f'{k}_dataloader.dataset.ann_file=truth.json' for k in ('train', 'val')]
    places += [f'{k}_dataloader.dataset.data_prefix.img=photos' for k in ('train', 'val')]
    (command,) = [c for c in COMMANDS if '--int8' in c]
    options = ' '.join([*places, 'val_evaluator.ann_file=truth.json'])
    execute(f'{command} --cfg-options {options}', user, monkeypatch)
    said = capfd.readouterr().out
    assert 'calibrated on 1 training images' in said
    assert re.search(r'float32 .*AP_small 0\.', said) and re.search(r'int8 .*AP_small 0\.', said)


@pytest.mark.slow
@needs_onnx
def test_onnx_in_half_precision(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = [c for c in COMMANDS if '--fp16' in c and 'tensorrt' not in c]
    execute(command, user, monkeypatch)
    execute(
        'python tools/infer.py --onnx detector_fp16.onnx photos --out half --score-thr 0.1',
        user,
        monkeypatch,
    )
    assert all(len(boxes) for boxes in found(user / 'half').values())


def test_no_command_is_left_out() -> None:
    assert len(COMMANDS) == 9
    paths = re.findall(r'`((?:configs|tools|docs)/[\w/.]+)`', TEXT)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert (ROOT / 'docs/images/infer_hituav.jpg').stat().st_size < 300_000
