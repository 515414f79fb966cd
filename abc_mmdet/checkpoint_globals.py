"""What training writes into checkpoints beside weights, and what each of it is read as."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler import OneCycleParamScheduler

from abc_mmdet.checkpoint_stand_ins import ANNEALING, method_of_schedule, stand_ins

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
    are there as objects become empty ones (:mod:`abc_mmdet.checkpoint_stand_ins`).
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
