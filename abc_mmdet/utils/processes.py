"""The processes of a run: which one speaks, how they find each other and how they end."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from torch import distributed

from abc_mmdet.errors import UserError

_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
"""What launchers call the number of a process."""


def is_first_process() -> bool:
    """Whether this process is the first of its run, by what its launcher set; True without one."""
    return int(next((os.environ[name] for name in _RANKS if os.environ.get(name)), 0)) == 0


def say(line: str) -> None:
    """Print a line to standard error, from the first process alone."""
    if is_first_process():
        print(line, file=sys.stderr, flush=True)


PATIENCE = 10.0  # seconds in which a launcher ends the other processes after one has failed

# Of gloo, NCCL and PyTorch's store when the process at the other end is gone
LOST = (
    'Connection closed by peer',
    'Connection reset by peer',
    'Broken pipe',
    'remote process exited',
    'Connection was likely closed',
    'communicator was aborted',
)


def is_first_to_say(text: str) -> bool:
    """Whether no other process of this run has said this; True if that cannot be known.

    Processes of one mistake all meet it. torchrun keeps a store for its processes, on all machines,
    from before they have joined; the first to enter the text there is the one to print it. Whoever
    is not the first waits here for the launcher to end it: it must not exit, and so end the first
    one, before that one has printed.
    """
    if os.environ.get('TORCHELASTIC_USE_AGENT_STORE') != 'True':
        return True
    key = f'said/{hashlib.sha256(text.encode()).hexdigest()}'
    try:
        store = distributed.TCPStore(  # type: ignore[attr-defined]
            os.environ['MASTER_ADDR'],
            int(os.environ['MASTER_PORT']),
            is_master=False,
            timeout=timedelta(seconds=PATIENCE),
        )
        if store.add(key, 1) == 1:
            return True
    except (RuntimeError, KeyError):  # the launcher has gone
        return True
    time.sleep(PATIENCE)
    return False


def has_lost_another(error: BaseException) -> bool:
    """Whether an error only tells that another process of the run has ended."""
    return distributed.is_available() and any(words in str(error) for words in LOST)


def wait_to_be_ended() -> None:
    """Let the process that failed speak, and the launcher end this one."""
    time.sleep(PATIENCE)


# What launchers call the variables that PyTorch reads
VARIABLES = {
    'pytorch': dict(RANK='RANK', WORLD_SIZE='WORLD_SIZE', LOCAL_RANK='LOCAL_RANK'),
    'slurm': dict(RANK='SLURM_PROCID', WORLD_SIZE='SLURM_NTASKS', LOCAL_RANK='SLURM_LOCALID'),
    'mpi': dict(
        RANK='OMPI_COMM_WORLD_RANK',
        WORLD_SIZE='OMPI_COMM_WORLD_SIZE',
        LOCAL_RANK='OMPI_COMM_WORLD_LOCAL_RANK',
    ),
}
STARTED_BY = {
    'pytorch': 'tools/dist_train.sh CONFIG GPUS, or torchrun,',
    'slurm': 'tools/slurm_train.sh PARTITION JOB CONFIG WORK_DIR, or srun,',
    'mpi': 'mpirun',
}


def join_processes(config: Config) -> None:
    """Prepare a distributed run, before its runner is built; without a launcher do nothing.

    MMEngine joins processes that have a GPU each; this sees to it that they have. Without a GPU
    MMEngine cannot (it selects a GPU all the same), so processes are joined here, through ``gloo``
    unless the config has a backend for CPUs, and the config gets a model wrapper for CPUs.

    Args:
        config: of the experiment, with ``launcher``; changed in place.

    Raises:
        UserError: not started by that launcher, more processes than GPUs, processes that do not
            find each other, or SyncBN on a CPU, for which PyTorch has none.
    """
    launcher = config.get('launcher', 'none')
    if launcher == 'none':
        return
    missing = [name for name in VARIABLES[launcher].values() if name not in os.environ]
    if missing:
        raise UserError(
            f'--launcher {launcher}: {", ".join(missing)} not set, so this was not started by it. '
            f'{STARTED_BY[launcher]} sets them; for a single process leave --launcher out.'
        )
    environment = {name: os.environ[theirs] for name, theirs in VARIABLES[launcher].items()}
    if get_device() != 'cpu':
        gpus, place = torch.cuda.device_count(), int(environment['LOCAL_RANK'])
        if torch.cuda.is_available() and place >= gpus:
            raise UserError(
                f'There are more processes than GPUs: {gpus} on this machine, and one is to be '
                f'number {place}, counted from 0. Start fewer processes.'
            )
        return
    _refuse_sync_bn(config)
    if not distributed.is_initialized():
        os.environ.update(environment)
        _join(config, launcher)
    if config.get('model_wrapper_cfg') is None:
        config.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            broadcast_buffers=False,
            find_unused_parameters=config.get('find_unused_parameters', False),
        )
    config.model_wrapper_cfg.setdefault('device_ids', None)  # MMEngine's default is a GPU


def _join(config: Config, launcher: str) -> None:
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ:
        os.environ['MASTER_ADDR'] = _first_host() if launcher == 'slurm' else '127.0.0.1'
    options = dict((config.get('env_cfg') or {}).get('dist_cfg') or {})
    backend = options.get('backend', 'nccl')
    timeout = options.get('timeout')  # in seconds; None stands for PyTorch's own
    patience = timedelta(seconds=timeout) if timeout else None
    try:
        distributed.init_process_group('gloo' if backend == 'nccl' else backend, timeout=patience)
    except (RuntimeError, ValueError) as error:
        raise UserError(
            'The processes of this run could not find each other at '
            f'{os.environ["MASTER_ADDR"]}:{os.environ["MASTER_PORT"]}.\n  {error}\n'
            'PORT=NUMBER chooses another port, if this one is in use.'
        ) from error


def _first_host() -> str:
    command = ['scontrol', 'show', 'hostnames', os.environ.get('SLURM_NODELIST', '')]
    try:
        hosts = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(
            f'Slurm does not say which machine is the first ({error}). Name it: MASTER_ADDR=HOST.'
        ) from error
    return hosts[0]


def _refuse_sync_bn(config: Config) -> None:
    fields = [field for field, kind in _types(config.get('model'), 'model') if kind == 'SyncBN']
    if config.get('sync_bn'):
        fields.append('sync_bn')
    if fields:
        raise UserError(
            f'{fields[0]} asks for SyncBN, which PyTorch has for GPUs only. On CPUs use BN (each '
            'process normalises its part of the batch; --cfg-options sync_bn=None) or '
            "norm_cfg=dict(type='GN', ...)."
        )


def _types(value: Any, field: str) -> Iterator[tuple[str, Any]]:
    """The ``type`` of every dict in a config, with its field."""
    if isinstance(value, dict):
        yield field, value.get('type')
        for key, child in value.items():
            yield from _types(child, f'{field}.{key}')
    elif isinstance(value, (list, tuple)):
        for i, child in enumerate(value):
            yield from _types(child, f'{field}.{i}')
