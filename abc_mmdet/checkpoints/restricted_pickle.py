"""Pickles that can only name what is allowed, call it, and fill in what it made.

PyTorch's own restricted reader is used where it can be; it lacks what an object that holds itself
needs, and before 2.6 it could not be told names. This one has the same rules.

Allowed is what checkpoints hold beside weights. PyTorch Lightning keeps the state of a
learning-rate schedule as it stands in its attributes. Under PyTorch 2.0 and before, ``OneCycleLR``
has a bound method among them, and with the method come the schedule itself, its optimizer and the
optimizer's defaultdict. RVT's checkpoints (Gehrig and Scaramuzza, CVPR 2023) are such files.
Nothing of it is needed to read weights, so each of these objects becomes an empty one: no code of
theirs runs, and no state of the file reaches them.
"""

from __future__ import annotations

import functools
import pickle
import types
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler import OneCycleParamScheduler
from torch.optim import lr_scheduler

_PLAIN: Any = pickle._Unpickler
"""Whose methods the type stubs do not know."""

_CALLING = (pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4)
"""Operations that call what was named and that no checkpoint has."""


def restricted_pickle(allowed: Mapping[str, Any]) -> Any:
    """A module to give to ``torch.load`` as ``pickle_module``.

    Args:
        allowed: classes and functions by the name they have in a pickle.

    Example::

        torch.load(path, pickle_module=restricted_pickle({}), weights_only=False)
    """

    class Unpickler(RestrictedUnpickler):
        names = allowed

    module: Any = types.ModuleType('restricted_pickle')
    module.Unpickler = Unpickler
    module.load = lambda file, **options: Unpickler(file, **options).load()
    return module


class RestrictedUnpickler(pickle._Unpickler):
    """Raises ``UnpicklingError`` for a name that is not among ``names``, and for more.

    Nothing but the named is called, and only objects of named classes are filled in: not the
    classes and functions themselves, which would change them for the whole process.

    Source: the same checks as in ``torch._weights_only_unpickler`` (PyTorch 2.6).

    Examples:
        >>> import io
        >>> RestrictedUnpickler(io.BytesIO(pickle.dumps([1, 2]))).load()
        [1, 2]
    """

    stack: list[Any]
    names: Mapping[str, Any] = {}
    dispatch: ClassVar[dict[int, Callable]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        full = f'{module}.{name}'
        if full not in self.names:
            raise pickle.UnpicklingError(f'Unsupported global: GLOBAL {full}')
        return self.names[full]

    def _check(self, called: Any) -> None:
        if not any(called is known for known in self.names.values()):
            raise pickle.UnpicklingError(f'unrecognized function {called!r}')

    def _checked_reduce(self) -> None:
        self._check(self.stack[-2])
        _PLAIN.load_reduce(self)

    def _checked_newobj(self) -> None:
        self._check(self.stack[-2])
        _PLAIN.load_newobj(self)

    def _checked_build(self) -> None:
        self._check(type(self.stack[-2]))
        _PLAIN.load_build(self)

    def _refused(self, operation: bytes) -> None:
        raise pickle.UnpicklingError(f'unrecognized function of operation {operation!r}')

    dispatch[pickle.REDUCE[0]] = _checked_reduce
    dispatch[pickle.NEWOBJ[0]] = _checked_newobj
    dispatch[pickle.BUILD[0]] = _checked_build
    for _operation in _CALLING:
        dispatch[_operation[0]] = functools.partial(_refused, operation=_operation)


ANNEALING = ('_annealing_cos', '_annealing_linear')
"""Methods of a schedule that are written into checkpoints."""


class StandIn:
    """An object of a checkpoint of which nothing is kept, whatever the file says about it.

    Examples:
        >>> schedule = StandIn('of a file')
        >>> schedule.__setstate__(dict(lr=0.1))
        >>> vars(schedule)
        {}
    """

    def __new__(cls, *_: Any) -> StandIn:
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Drop it; without this method, attributes of the file would become its own."""


class ScheduleStandIn(StandIn):
    """A ``OneCycleLR``: its two methods can be named, and do nothing.

    Examples:
        >>> method_of_schedule(ScheduleStandIn, 'step') is None
        True
    """

    def _annealing_cos(self, *_: Any) -> None: ...

    def _annealing_linear(self, *_: Any) -> None: ...


def stand_ins() -> dict[str, Any]:
    """What stands for an object, by the name its class has in a pickle.

    Every optimizer and every schedule of PyTorch has one; of methods, those of ``OneCycleLR`` alone
    (:func:`method_of_schedule`). A defaultdict becomes a plain dict.

    Examples:
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
    are there as objects become empty ones (:mod:`abc_mmdet.checkpoints.restricted_pickle`).
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
