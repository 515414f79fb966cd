"""Checkpoints are read without running anything in them."""

import io
import os
import pickle
import time
import zipfile
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler import OneCycleParamScheduler
from mmengine.runner import CheckpointLoader

from abc_mmdet.apis import check_checkpoint
from abc_mmdet.checkpoints import loading
from abc_mmdet.checkpoints.loading import add_trust_option, is_whole, problem_of, read, weights_only
from abc_mmdet.errors import UserError


class Call:
    """An object that is made by calling something when the file is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


def by_system(trace: Path) -> Any:
    return Call(os.system, f'mkdir {trace}')


def by_getattr(trace: Path) -> Any:
    """``exec``, reached from what MMEngine's own list of safe names allows."""
    execute = Call(getattr, Call(getattr, getattr, '__self__'), 'exec')
    code = f'import os; os.mkdir({str(trace)!r})'
    return Call(torch._tensor._rebuild_from_type_v2, execute, torch.Tensor, (code,), {})


LOGGED = {
    'buffer': HistoryBuffer([1.0, 2.0], [1, 3]),
    'float': np.float64(0.5),
    'single': np.float32(0.25),
    'int': np.int64(7),
    'bool': np.bool_(True),
    'array': np.arange(3.0),
    'bytes': b'in protocol 2, encoded text',
    'old': HistoryBuffer.mean,
    'schedule': OneCycleParamScheduler._annealing_cos,  # in the state of OneCycleLR
}


@pytest.fixture(params=['2.6 and newer', 'older'])
def any_torch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of reading, whatever PyTorch is here."""
    if request.param == 'older':
        monkeypatch.setattr(loading, '_takes_names', lambda: False)
    elif not loading._takes_names():
        pytest.skip('this PyTorch cannot be told names')


@pytest.fixture(params=[True, False], ids=['zip', 'bare pickle'])
def save(request: pytest.FixtureRequest) -> Iterator[Any]:
    def write(content: Any, path: Path) -> Path:
        torch.save(content, path, _use_new_zipfile_serialization=request.param)
        return path

    yield write


@pytest.mark.usefixtures('any_torch')
@pytest.mark.parametrize('attack', [by_system, by_getattr])
def test_nothing_is_run(attack: Any, save: Any, tmp_path: Path) -> None:
    trace = tmp_path / 'trace'
    path = save(dict(state_dict={}, extra=attack(trace)), tmp_path / 'evil.pth')
    for load in (
        read,
        lambda p: CheckpointLoader.load_checkpoint(str(p), 'cpu'),
        lambda p: torch.load(p),
    ):
        with weights_only(), pytest.raises(UserError) as refused:
            load(path)
        assert not trace.exists()
        assert str(path) in str(refused.value) and '--trust' in str(refused.value)
        name = 'posix.system' if attack is by_system else "getattr of '__self__'"
        assert f'it asks for {name}' in str(refused.value)
    assert 'more than weights' in str(problem_of(path))


def test_mmengine_alone_would_have_run_it(tmp_path: Path) -> None:
    """Else the attack of the test above were none."""
    torch.save(by_getattr(tmp_path / 'trace'), tmp_path / 'evil.pth')
    with pytest.raises(AttributeError):
        torch.load(tmp_path / 'evil.pth', weights_only=False)
    assert (tmp_path / 'trace').is_dir()


@pytest.mark.usefixtures('any_torch')
def test_trust_is_for_this_block_alone(save: Any, tmp_path: Path) -> None:
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    save(by_system(trace), path)
    parser = ArgumentParser()
    add_trust_option(parser)
    with weights_only():
        with weights_only(trust=True):
            assert read(path) == 0
        assert trace.exists()
        with pytest.raises(UserError):
            read(path)
        parser.parse_args([])
        with pytest.raises(UserError):
            torch.load(path)
        parser.parse_args(['--trust'])
        with weights_only():  # as a function does inside of a tool
            torch.load(path)
    with pytest.raises(UserError):
        read(path)


@pytest.mark.usefixtures('any_torch')
def test_what_a_run_logs_is_known(save: Any, tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.rand(3))
    content = dict(state_dict=dict(a=parameter, b=torch.rand(2).half()), message_hub=LOGGED)
    path = save(content, tmp_path / 'own.pth')
    with weights_only():
        for found in (read(path), CheckpointLoader.load_checkpoint(str(path), 'cpu')):
            assert torch.equal(found['state_dict']['a'], parameter)
            hub = found['message_hub']
            assert hub['buffer'].statistics('mean') == 0.75
            assert hub['old'] is HistoryBuffer.mean
            assert hub['schedule'] is OneCycleParamScheduler._annealing_cos
            for name in ('float', 'single', 'int', 'bool'):
                assert hub[name] == LOGGED[name] and type(hub[name]) is type(LOGGED[name])
            assert np.array_equal(hub['array'], LOGGED['array']) and hub['bytes'] == LOGGED['bytes']
    assert problem_of(path) is None


@pytest.mark.usefixtures('any_torch')
@pytest.mark.parametrize('module', ['numpy.core.multiarray', 'numpy._core.multiarray'])
def test_arrays_of_either_numpy(module: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(np.float64(0.5), buffer)
    with zipfile.ZipFile(buffer) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / 'other.pth', 'w') as archive:
        for name, content in parts.items():
            for own in (b'numpy.core.multiarray', b'numpy._core.multiarray'):
                content = content.replace(own + b'\n', module.encode() + b'\n')
            archive.writestr(name, content)
    assert read(tmp_path / 'other.pth') == 0.5


def test_outside_of_a_block_nothing_changes(tmp_path: Path) -> None:
    torch.save(dict(a=LOGGED['buffer']), tmp_path / 'own.pth')
    with weights_only():
        pass
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / 'own.pth', weights_only=True)
    assert torch.load(tmp_path / 'own.pth', weights_only=False)['a'].mean() == 0.75


def test_programs_and_packed_archives_are_refused(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / 'program.pt')
    with pytest.raises(UserError, match='is a TorchScript program'):
        read(tmp_path / 'program.pt')
    with zipfile.ZipFile(tmp_path / 'bomb.pth', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('bomb/data.pkl', pickle.dumps({}, 2))
        archive.writestr('bomb/data/0', bytes(1 << 27))
    with pytest.raises(UserError, match=r'0\.1 GiB when it is unpacked'):
        read(tmp_path / 'bomb.pth')
    with pytest.raises(UserError, match='There is no checkpoint'):
        read(tmp_path / 'none.pth')


def test_an_entry_that_is_listed_a_thousand_times(tmp_path: Path) -> None:
    """580 kB that would be unpacked to 580 MB, by checksums too, without being compressed."""
    bomb = tmp_path / 'bomb.pth'
    with zipfile.ZipFile(bomb, 'w') as archive:
        archive.writestr('bomb/data.pkl', pickle.dumps({}, 2))
        archive.writestr('bomb/data/0', bytes(580_000))
        archive.filelist += archive.filelist[-1:] * 999
    began = time.process_time()
    message = r'0\.5 GiB when it is unpacked, from 0\.6 MiB'
    with pytest.raises(UserError, match=message):
        read(bomb)
    with pytest.raises(UserError, match=message):
        check_checkpoint(str(bomb), 'checkpoint')
    assert not is_whole(bomb)
    assert '0.5 GiB' in problem_of(bomb)
    assert time.process_time() - began < 1


CONTENT = dict(
    meta=dict(epoch=1, iter=5, dataset_meta=dict(classes=('a', 'b'))),
    state_dict={f'layer{i}.weight': torch.ones(4, 4) * i for i in range(5)},
    message_hub=LOGGED,
)


@pytest.mark.parametrize('as_zip', [True, False])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_ends_in_a_message(as_zip: bool, tmp_path: Path, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    torch.save(CONTENT, buffer, _use_new_zipfile_serialization=as_zip)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(0, 3), label='changes')):
        place = data.draw(st.integers(0, len(content) - 1), label='place')
        content[place] = data.draw(st.integers(0, 255), label='byte')
    content = content[: data.draw(st.integers(1, len(content)), label='length')]
    path = tmp_path / 'damaged.pth'
    path.write_bytes(content)
    problem = problem_of(path)
    try:
        found = read(path)
    except UserError as error:
        assert str(path) in str(error) and problem is not None
    else:
        # A bare pickle has no check sums, so a changed number is a number
        if problem is None and as_zip:
            assert list(found['state_dict']) == list(CONTENT['state_dict'])
