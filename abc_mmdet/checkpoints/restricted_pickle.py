"""Pickles that can only name what is allowed, call it, and fill in what it made.

PyTorch's own restricted reader is used where it can be; it lacks what an object that holds itself
needs, and before 2.6 it could not be told names. This one has the same rules.
"""

from __future__ import annotations

import functools
import pickle
import types
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

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
