"""Checkpoints of the plain detector, and the mean of several."""

import subprocess
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint

from abc_mmdet.checkpoints.conversion import to_plain, write_average, write_plain_checkpoint
from abc_mmdet.errors import UserError
from mmdet.registry import MODELS

from ..warm_python import python

ROOT = Path(__file__).parents[2]


def test_main_head_is_unwrapped_and_auxiliary_parts_left_out() -> None:
    state = {
        'backbone.stem.conv.weight': 1,
        'neck.out_convs.0.conv.weight': 2,
        'neck.aux_branches.0.out.conv.weight': 3,
        'bbox_head.main_head.multi_level_conv_cls.0.weight': 4,
        'bbox_head.aux_head.multi_level_conv_cls.0.weight': 5,
        'bbox_head.multi_task_loss.log_variance': 6,
    }
    assert to_plain(state) == {
        'backbone.stem.conv.weight': 1,
        'neck.out_convs.0.conv.weight': 2,
        'bbox_head.multi_level_conv_cls.0.weight': 4,
    }


def test_averaged_weights_keep_their_prefix() -> None:
    assert to_plain({'module.bbox_head.main_head.w': 1, 'steps': 2}) == {
        'module.bbox_head.w': 1,
        'steps': 2,
    }


def test_plain_names_stay() -> None:
    state = {'bbox_head.multi_level_conv_cls.0.weight': 1, 'neck.reduce_layers.0.conv.weight': 2}
    assert to_plain(state) == state


def small_model(config: str) -> torch.nn.Module:
    return MODELS.build(Config.fromfile(ROOT / 'configs' / 'small' / config).model)


def test_way_to_plain_yolox_and_back_through_files(tmp_path: Path) -> None:
    abc = small_model('abc_basic_hituav.py')
    plain_config = Config.fromfile(ROOT / 'configs' / 'small' / 'abc_basic_hituav.py').model
    plain_config.bbox_head = {**plain_config.bbox_head.main_head, 'num_classes': 3}
    plain = MODELS.build(plain_config)
    torch.save(dict(state_dict=abc.state_dict(), meta={}), tmp_path / 'abc.pth')
    kept, left_out = write_plain_checkpoint(str(tmp_path / 'abc.pth'), str(tmp_path / 'plain.pth'))
    assert kept == len(plain.state_dict())
    assert kept + left_out == len(abc.state_dict())
    load_checkpoint(plain, str(tmp_path / 'plain.pth'), strict=True)

    other = small_model('abc_basic_hituav.py')
    load_checkpoint(other, str(tmp_path / 'plain.pth'))  # as load_from in a config does
    image = torch.randn(1, 3, 64, 96)
    outputs = [model.eval()(image) for model in (abc, plain, other)]
    for of_abc, of_plain, of_other in zip(*outputs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(of_abc, of_plain, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(of_abc, of_other, strict=True))


def test_file_without_weights_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(UserError, match='holds no weights: it is a list'):
        write_plain_checkpoint(str(tmp_path / 'list.pth'), str(tmp_path / 'out.pth'))
    assert not (tmp_path / 'out.pth').exists()


def write(folder: Path, name: str, **tensors: torch.Tensor) -> Path:
    path = folder / name
    meta = dict(iter=7, dataset_meta=dict(classes=('car',)), seed=3)
    torch.save(dict(state_dict=tensors, meta=meta, optimizer=dict(big=torch.zeros(9))), path)
    return path


def test_the_mean(tmp_path: Path) -> None:
    values = torch.rand(3, 5, 2)
    halves = torch.rand(3, 4).half()
    files = [
        write(tmp_path, f'{i}.pth', w=values[i], h=halves[i], num_batches_tracked=torch.tensor(i))
        for i in range(3)
    ]
    assert write_average(files, tmp_path / 'mean.pth') == 2
    written = torch.load(tmp_path / 'mean.pth', weights_only=False)
    state = written['state_dict']
    assert torch.allclose(state['w'], values.mean(0)) and state['w'].dtype == torch.float32
    assert state['h'].dtype == torch.float16
    assert torch.allclose(state['h'].float(), halves.float().mean(0), atol=1e-3)
    assert state['num_batches_tracked'] == 0
    assert written['meta'] == dict(iter=7, dataset_meta=dict(classes=('car',)))
    assert 'optimizer' not in written


def test_equal_weights_stay_as_they_are(tmp_path: Path) -> None:
    tensor = torch.rand(100)
    files = [write(tmp_path, f'{i}.pth', w=tensor) for i in range(3)]
    write_average(files, tmp_path / 'mean.pth')
    state = torch.load(tmp_path / 'mean.pth', weights_only=False)['state_dict']
    assert torch.equal(state['w'], tensor)


def test_mistakes(tmp_path: Path) -> None:
    one = write(tmp_path, 'one.pth', w=torch.zeros(2))
    with pytest.raises(UserError, match='two checkpoints or more'):
        write_average([one], tmp_path / 'out.pth')
    for sizes in (dict(w=3), dict(v=2), dict(w=2, v=1)):
        tensors = {name: torch.zeros(size) for name, size in sizes.items()}
        two = write(tmp_path, 'two.pth', **tensors)
        with pytest.raises(UserError, match=r'two\.pth is of another network than .*one\.pth'):
            write_average([one, two], tmp_path / 'out.pth')
    loaded = torch.load(one, weights_only=False)
    for name, classes in (('a', ('car', 'bus')), ('b', ('bus', 'car'))):
        loaded['meta']['dataset_meta'] = dict(classes=classes)
        torch.save(loaded, tmp_path / f'{name}.pth')
    with pytest.raises(UserError, match='other classes, or with them in another order'):
        write_average([tmp_path / 'a.pth', tmp_path / 'b.pth'], tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


def test_tool(tmp_path: Path) -> None:
    files = [write(tmp_path, f'{i}.pth', w=torch.full((2,), float(i))) for i in range(2)]
    command = [python(), '-W', 'ignore', ROOT / 'tools/model_converters/average.py']
    out = tmp_path / 'mean.pth'
    done = subprocess.run([*command, *files, '--out', out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f'{out}: 1 tensors, the mean of 2 checkpoints'
    state = torch.load(out, weights_only=False)['state_dict']
    assert torch.equal(state['w'], torch.full((2,), 0.5))
    failed = subprocess.run(
        [*command, files[0], tmp_path / 'gone.pth', '--out', out], capture_output=True, text=True
    )
    assert failed.returncode == 2 and 'gone.pth' in failed.stderr
    assert 'Traceback' not in failed.stderr
