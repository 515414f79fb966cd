import subprocess
from pathlib import Path

import pytest
import torch

from abc_mmdet.checkpoints.averaging import write_average
from abc_mmdet.errors import UserError

from ..warm_python import python

ROOT = Path(__file__).parents[2]


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
