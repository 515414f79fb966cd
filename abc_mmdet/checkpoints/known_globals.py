"""Optimizers and schedules that a checkpoint holds as objects, without their code.

PyTorch Lightning keeps the state of a learning-rate schedule as it stands in its attributes. Under
PyTorch 2.0 and before, ``OneCycleLR`` has a bound method among them, and with the method come the
schedule itself, its optimizer and the optimizer's defaultdict. RVT's checkpoints (Gehrig and
Scaramuzza, CVPR 2023) are such files. Nothing of it is needed to read weights, so each of these
objects becomes an empty one: no code of theirs runs, and no state of the file reaches them.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler import OneCycleParamScheduler
from torch.optim import lr_scheduler

ANNEALING = ('_annealing_cos', '_annealing_linear')
"""Methods of a schedule that are written into checkpoints."""


class StandIn:
    """An object of a checkpoint of which nothing is kept, whatever the file says about it."""

    def __new__(cls, *_: Any) -> StandIn:
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Drop it; without this method, attributes of the file would become its own."""


class ScheduleStandIn(StandIn):
    """A ``OneCycleLR``: its two methods can be named, and do nothing."""

    def _annealing_cos(self, *_: Any) -> None: ...

    def _annealing_linear(self, *_: Any) -> None: ...


def stand_ins() -> dict[str, Any]:
    """What stands for an object, by the name its class has in a pickle.

    Every optimizer and every schedule of PyTorch has one; of methods, those of ``OneCycleLR`` alone
    (:func:`method_of_schedule`). A defaultdict becomes a plain dict.

    Example::

        >>> stand_ins()['torch.optim.adamw.AdamW'].__name__
        'StandIn'
    """
    kinds = [*vars(torch.optim).values(), *vars(lr_scheduler).values()]
    kinds = [kind for kind in kinds if isinstance(kind, type)]
    found: dict[str, Any] = {
        f'{kind.__module__}.{kind.__name__}': StandIn
        for kind in kinds
        if issubclass(kind, (torch.optim.Optimizer, lr_scheduler.LRScheduler))
    }
    found[f'{lr_scheduler.__name__}.OneCycleLR'] = ScheduleStandIn
    found['collections.defaultdict'] = plain_dict
    found['builtins.dict'] = dict  # what a defaultdict of an optimizer makes
    return found


def plain_dict(*_: Any) -> dict:
    """For a defaultdict, whose factory could be any function of the file."""
    return {}


def method_of_schedule(owner: Any, name: str) -> Any:
    """``getattr`` for a stand-in of ``OneCycleLR``; None for anything else."""
    if name in ANNEALING and (owner is ScheduleStandIn or type(owner) is ScheduleStandIn):
        return getattr(owner, name)
    return None


_METHODS: dict[Any, tuple[str, ...]] = {
    HistoryBuffer: ('min', 'max', 'current', 'mean'),
    OneCycleParamScheduler: ANNEALING,
}
"""Functions of a class that MMEngine writes into checkpoints."""


def known_globals() -> dict[str, Any]:
    """What checkpoints of MMEngine and Lightning hold beside weights, by its name in a pickle.

    Numbers that were logged are NumPy's, whose modules have two names (NumPy 1 and 2). MMEngine's
    own list has ``getattr`` in it, with which a file can reach, and run, everything; checkpoints
    need it for a few functions of three classes, and get these alone. Optimizers and schedules that
    are there as objects become empty ones (:mod:`abc_mmdet.checkpoints.known_globals`).
    """
    multiarray = np.zeros(0).__reduce__()[0].__module__
    names: dict[str, Any] = {
        'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
        f'{OneCycleParamScheduler.__module__}.OneCycleParamScheduler': OneCycleParamScheduler,
        'builtins.getattr': _method,
        '_codecs.encode': _bytes,  # which PyTorch 2.1 does not know
        'numpy.ndarray': np.ndarray,
        'numpy.dtype': np.dtype,
        **stand_ins(),
    }
    for module in {multiarray, 'numpy.core.multiarray', 'numpy._core.multiarray'}:
        names[f'{module}._reconstruct'] = np.zeros(0).__reduce__()[0]
        names[f'{module}.scalar'] = np.float64(0).__reduce__()[0]
    for code in '?bhilqBHILQefd':
        kind = type(np.dtype(code))
        names[f'{kind.__module__}.{kind.__name__}'] = kind
    return names


def _method(owner: Any, name: str) -> Any:
    of_schedule = method_of_schedule(owner, name)
    if of_schedule is not None:
        return of_schedule
    if not any(owner is kind and name in names for kind, names in _METHODS.items()):
        raise pickle.UnpicklingError(f'Unsupported global: GLOBAL getattr of {name!r}')
    return getattr(owner, name)


def _bytes(text: str, encoding: str) -> bytes:
    """How pickles of protocol 2, PyTorch's own, write bytes."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'Unsupported global: GLOBAL _codecs.encode to {encoding!r}')
    return text.encode(encoding)
