"""Reads checkpoints safely: weights and what is known to be harmless; nothing in them is run."""

from __future__ import annotations

import functools
import os
import pickle
import re
import warnings
import zipfile
from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch

from abc_mmdet.errors import UserError

from .restricted_pickle import known_globals, restricted_pickle

COMPRESSED = 10
"""How many times larger than the file its content may be; ``torch.save`` does not compress."""


def check_archive(f: Any, name: str) -> None:
    """Refuse archives that PyTorch would take for programs, or that fill the memory.

    Only the list of entries is read. An entry that is listed a thousand times is unpacked a
    thousand times, by checksums too, so what counts is the size of the file, not that of the
    entries.

    Args:
        f: a path or an open file, which is at its beginning afterwards.
        name: of the file, for the message.

    Raises:
        UserError: such an archive.
    """
    if not zipfile.is_zipfile(f):
        _rewind(f)
        return
    try:
        with zipfile.ZipFile(f) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile:  # damaged, as whoever reads it will say
        entries = []
    size = _size(f)
    _rewind(f)
    if any(entry.filename.endswith('/constants.pkl') for entry in entries):
        raise UserError(
            f'{name} is a TorchScript program, which brings its own code: give a checkpoint with '
            'a state_dict.'
        )
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > COMPRESSED * size + 2**20:
        raise UserError(
            f'{name} would become {unpacked / 2**30:.1f} GiB when it is unpacked, from '
            f'{size / 2**20:.1f} MiB: no checkpoint is compressed like this.'
        )


def is_whole(path: Path) -> bool:
    """Whether a checkpoint is as it was written: reads all of it and compares its checksums."""
    try:
        check_archive(path, str(path))
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, EOFError, ValueError):
        return False


def _size(f: Any) -> int:
    if isinstance(f, (str, Path)):
        return os.path.getsize(f)
    f.seek(0, os.SEEK_END)
    return int(f.tell())


def _rewind(f: Any) -> None:
    if not isinstance(f, (str, Path)):
        f.seek(0)


_plain_load = torch.load
_trusts: ContextVar[bool | None] = ContextVar('trusts', default=None)
"""Whether files may run code; None outside of :func:`weights_only`."""


@contextmanager
def weights_only(trust: bool | None = None) -> Iterator[None]:
    """While it lasts, ``torch.load`` runs nothing of a file in this thread, whoever calls it.

    Args:
        trust: let files run code all the same. None: as it is around this block, and not if there
            is none around it.

    Raises:
        UserError: from ``torch.load``; a file that would have to run code, or cannot be read.
    """
    # It stays, for other threads may be in such a block; outside of one it changes nothing.
    torch.load = _load
    token = _trusts.set(bool(_trusts.get()) if trust is None else trust)
    try:
        yield
    finally:
        _trusts.reset(token)


def trust_checkpoints() -> None:
    """Let checkpoints run code until the :func:`weights_only` around this ends: ``--trust``."""
    _trusts.set(True)


def add_trust_option(parser: ArgumentParser) -> None:
    """``--trust`` for a tool that reads checkpoints inside of :func:`weights_only`."""
    parser.add_argument(
        '--trust',
        action=_Trust,
        help='read checkpoints that hold more than weights; they can then run any code',
    )


class _Trust(Action):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, 'nargs': 0, 'default': SUPPRESS})

    def __call__(self, *_: Any) -> None:
        trust_checkpoints()


def read(path: str | Path) -> Any:
    """What a checkpoint file holds, on the CPU.

    Raises:
        UserError: a file that would have to run code, or cannot be read.
    """
    with weights_only():
        return _load(path, map_location='cpu')


def problem_of(path: str | Path) -> str | None:
    """Why a checkpoint file cannot be read, for a person; None if it can.

    All of it is read and compared with its check sums, so this takes as long as reading.
    """
    try:
        check_archive(path, str(path))
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            if damaged is not None:
                return f'{path} is damaged: {damaged} in it does not match its check sum.'
        read(path)
    except (OSError, zipfile.BadZipFile, RuntimeError, UserError) as error:
        return str(error)
    return None


@functools.wraps(_plain_load)
def _load(f: Any, *args: Any, **options: Any) -> Any:
    trust = _trusts.get()
    if trust is None:
        return _plain_load(f, *args, **options)
    for name in ('weights_only', 'pickle_module'):
        options.pop(name, None)
    name = str(f) if isinstance(f, (str, Path)) else str(getattr(f, 'name', 'a checkpoint'))
    if not trust:
        check_archive(f, name)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message='Detected pickle protocol')
            read_file = _plain_load if trust else _load_weights
            return read_file(f, *args, **(dict(options, weights_only=False) if trust else options))
    except FileNotFoundError as error:
        raise UserError(f'There is no checkpoint {name}.') from error
    except Exception as error:  # PyTorch has no common one for damaged files
        raise UserError(_message(name, error)) from error


def _message(name: str, error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    asked = re.search(r'GLOBAL (.*?)( was not| whose|$)', text, re.M)
    if asked or 'allowlisted' in text or 'unrecognized function' in text:
        return (
            f'{name} holds more than weights: it asks for '
            f'{asked[1] if asked else "Python objects"}, and was not read.\n'
            'A checkpoint that brings Python objects along can run any program with your rights. '
            'If you know who made this one and trust them, add --trust (in Python, trust=True).'
        )
    # PyTorch says what it found somewhere between pieces of advice
    found = re.search(r'WeightsUnpickler error: (.*)', text)
    reason = found[1].strip() if found else text.splitlines()[0]
    return (
        f'{name} cannot be read as a checkpoint: it is damaged, or holds something else ({reason}).'
    )


def _load_weights(f: Any, *args: Any, **options: Any) -> Any:
    """Read with PyTorch's own restrictions; with ours where it has none, or cannot go on.

    Before 2.6 it could not be told what is safe, and also read old archives with ``weights_only``
    and ran them (CVE-2025-32434). Newer ones have no way to read an object that holds itself.
    """
    known = known_globals()
    if _takes_names():
        start = f.tell() if hasattr(f, 'tell') else None
        try:
            return _load_with_names(f, known, *args, **options)
        except pickle.UnpicklingError as error:
            if 'Unsupported operand' not in str(error):
                raise
        if start is not None:
            f.seek(start)
    restricted = restricted_pickle(
        {**torch._weights_only_unpickler._get_allowed_globals(), **known}
    )
    options.update(pickle_module=restricted, weights_only=False)
    return _plain_load(f, *args, **options)


def _load_with_names(f: Any, known: dict[str, Any], *args: Any, **options: Any) -> Any:
    serialization = torch.serialization
    before = serialization.get_safe_globals()
    serialization.clear_safe_globals()
    # What others allowed stays so, but for what allows everything
    allowed: list[Any] = [entry for entry in before if entry is not getattr]
    serialization.add_safe_globals([*allowed, *((kind, name) for name, kind in known.items())])
    try:
        return _plain_load(f, *args, weights_only=True, **options)
    finally:
        serialization.clear_safe_globals()
        serialization.add_safe_globals(before)


def _takes_names() -> bool:
    return tuple(int(part) for part in torch.__version__.split('.')[:2]) >= (2, 6)
