"""Lets the processes of a distributed run find each other where MMEngine cannot: on CPUs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from torch import distributed

from abc_mmdet.errors import UserError

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
