"""What a process of a distributed run is told before it meets the others."""

from datetime import timedelta
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import distributed

from abc_mmdet.apis import config_mistakes, join_processes, user_messages
from abc_mmdet.errors import UserError
from abc_mmdet.utils import processes

ROOT = Path(__file__).parents[2]
LOST = RuntimeError('[/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:1234')
on_a_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without a GPU')


@pytest.fixture
def started(monkeypatch) -> None:
    for name, value in (('RANK', '0'), ('WORLD_SIZE', '2'), ('LOCAL_RANK', '0')):
        monkeypatch.setenv(name, value)


def test_a_single_process_is_left_alone() -> None:
    config = Config(dict(launcher='none', env_cfg=dict(dist_cfg=dict(backend='nccl'))))
    join_processes(config)
    assert config.get('model_wrapper_cfg') is None
    assert not distributed.is_initialized()


@pytest.mark.parametrize(
    ('launcher', 'variable', 'remedy'),
    [
        ('pytorch', 'WORLD_SIZE', 'tools/dist_train.sh CONFIG GPUS'),
        ('slurm', 'SLURM_PROCID', 'tools/slurm_train.sh'),
        ('mpi', 'OMPI_COMM_WORLD_RANK', 'mpirun'),
    ],
)
def test_a_process_that_its_launcher_did_not_start(
    monkeypatch, launcher: str, variable: str, remedy: str
) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UserError) as error:
        join_processes(Config(dict(launcher=launcher)))
    assert variable in str(error.value) and remedy in str(error.value)


@on_a_cpu
@pytest.mark.parametrize(
    ('fields', 'named'),
    [
        (dict(sync_bn='torch'), 'sync_bn'),
        (
            dict(model=dict(neck=[dict(norm_cfg=dict(type='SyncBN'))])),
            'model.neck.0.norm_cfg asks for SyncBN',
        ),
    ],
)
def test_a_normalisation_that_cpus_do_not_have(started, fields: dict, named: str) -> None:
    with pytest.raises(UserError, match=named):
        join_processes(Config(dict(fields, launcher='pytorch')))


@on_a_cpu
def test_processes_that_do_not_find_each_other(started, monkeypatch) -> None:
    monkeypatch.setenv('MASTER_ADDR', '127.0.0.1')
    monkeypatch.setenv('MASTER_PORT', '1')
    monkeypatch.setenv('RANK', '1')
    config = Config(dict(launcher='pytorch', env_cfg=dict(dist_cfg=dict(timeout=1))))
    with pytest.raises(UserError, match=r'could not find each other at 127\.0\.0\.1:1\.'):
        join_processes(config)


def test_the_first_process_speaks_for_all(monkeypatch) -> None:
    monkeypatch.setattr(processes, 'PATIENCE', 0.1)
    assert processes.is_first_to_say('a mistake'), 'there is no launcher'
    store = distributed.TCPStore('127.0.0.1', 0, is_master=True, timeout=timedelta(seconds=10))
    monkeypatch.setenv('TORCHELASTIC_USE_AGENT_STORE', 'True')
    monkeypatch.setenv('MASTER_ADDR', '127.0.0.1')
    monkeypatch.setenv('MASTER_PORT', str(store.port))
    monkeypatch.setattr(processes, 'PATIENCE', 2.0)
    said = [processes.is_first_to_say(text) for text in ('a mistake', 'another')]
    assert said == [True, True]
    assert not processes.is_first_to_say('a mistake')


def test_a_process_that_lost_another_says_no_more(monkeypatch, capsys) -> None:
    monkeypatch.setattr(processes, 'PATIENCE', 0.0)
    with pytest.raises(SystemExit) as end, user_messages(), config_mistakes('config.py'):
        raise LOST
    assert end.value.code == 1
    message = capsys.readouterr().err
    assert 'The connection to another process of this run was lost' in message
    assert 'Connection closed by peer' in message
    assert 'config.py' not in message, 'the config is not at fault'
    with pytest.raises(RuntimeError, match='of its own'), user_messages():
        raise RuntimeError('of its own')
