"""Where tools write: over nothing that they read, in a folder that is theirs."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from mmengine.config import Config

from abc_mmdet.errors import UserError
from abc_mmdet.utils.image_files import IMAGES, VIDEOS
from abc_mmdet.utils.processes import is_first_process

from .config_parts import LOADERS, data_paths

_CONFIGS = ('.py', '.json', '.yaml', '.yml')
_DATA = (*IMAGES, *VIDEOS, '.h5', '.hdf5', '.npy', '.dat', '.raw')
AnyPath = str | Path


def check_outputs(
    outputs: Mapping[str, AnyPath | None],
    inputs: Iterable[AnyPath] = (),
    config: Config | None = None,
) -> None:
    """Before a tool does anything: are its results to replace something that it reads?

    Links, symbolic or hard, and other spellings of a path make no difference.

    Args:
        outputs: files to be written, by the option that names them; None where it was not given.
            Of a folder to be replaced as a whole, nothing may be an input.
        inputs: files of the command line; addresses and what does not exist are passed over.
        config: the experiment. Inputs are its file with all below ``_base_``, every file that it
            names, and images and recordings in the folders of its data sets.

    Raises:
        UserError: the first output that is an input, or is another output, or cannot be looked at.

    Examples:
        >>> check_outputs({'--json': 'report.json'}, ['annotations.json'])
    """
    given = {option: Path(path) for option, path in outputs.items() if path is not None}
    files = [*inputs, *(_files_of(config) if config is not None else [])]
    known = {identity: str(path) for path in files if (identity := _identity(Path(path)))}
    folders = list(_folders_of(config)) if config is not None else []
    seen: dict[Path, str] = {}
    for option, path in given.items():
        whole = Path(os.path.abspath(path))
        if whole in seen:
            raise UserError(f'{option} {path} is that of {seen[whole]}, too: name another file.')
        seen[whole] = option
        identity = _identity(path)
        below = [name for name in known.values() if whole in Path(os.path.abspath(name)).parents]
        is_data = path.suffix.lower() in _DATA and any(f in whole.parents for f in folders)
        if identity in known:
            problem = f'is {known[identity]}, which is read'
        elif identity and path.is_dir() and below:
            problem = f'is a folder with {below[0]} in it, which is read'
        elif identity and is_data:
            problem = 'is a file of a data set of the config'
        else:
            continue
        raise UserError(f'{option} {path} {problem}: it would be replaced. Name another place.')


def make_folders(outputs: Mapping[str, AnyPath | None]) -> None:
    """Make the folders of files that a tool writes at its end, before its work begins.

    Args:
        outputs: as of :func:`check_outputs`.

    Raises:
        UserError: a folder cannot be made, or nothing can be written there.
    """
    for option, path in outputs.items():
        if path is None:
            continue
        folder = Path(path).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            is_writable = os.access(folder, os.W_OK | os.X_OK)
            reason = f'{folder} cannot be written to'
        except OSError as error:
            is_writable, reason = False, f'{folder} cannot be made ({error.strerror or error})'
        if not is_writable:
            raise UserError(f'{option} {path}: {reason}. Name another place.')


def dumped_config(config: Config) -> Path:
    """Where MMEngine's runner writes the whole config, in its work_dir."""
    return Path(config.work_dir) / Path(config.filename).name


def _identity(path: Path) -> tuple[int, int] | None:
    """Equal for names of one file; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # a name that is too long or has a zero byte
        if '://' in str(path) or isinstance(error, NotADirectoryError):
            return None
        reason = getattr(error, 'strerror', None) or error
        raise UserError(f'{str(path)[:200]}: {reason}') from error
    return found.st_dev, found.st_ino


def _files_of(config: Config) -> Iterator[str]:
    # MMEngine keeps the text of all files of a config, each below its name
    for line in (config.text or '').splitlines():
        if line.endswith(_CONFIGS) and os.path.isfile(line):
            yield line
    for _, path in _data_of(config):
        yield path
    yield from (text for text in _texts(config.to_dict()) if _may_be_file(text))


def _may_be_file(text: str) -> bool:
    return 0 < len(text) < 1024 and '\n' not in text and '\0' not in text and os.path.isfile(text)


def _folders_of(config: Config) -> Iterator[Path]:
    for _, path in _data_of(config):
        if os.path.isdir(path):
            yield Path(os.path.abspath(path))


def _data_of(config: Config) -> Iterator[tuple[str, str]]:
    for loader in LOADERS:
        if config.get(loader):
            yield from data_paths(config[loader].get('dataset'), f'{loader}.dataset')


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


LOCK = 'lock'


def make_work_dir(folder: str | Path) -> Path:
    """Make the folder of a run, and see that files can be written there.

    Raises:
        UserError: they cannot, say, because the disk is full or the folder is read-only.
    """
    path = Path(folder)
    probe = path / f'.{os.getpid()}.probe'
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b'something')
        probe.unlink()
    except OSError as error:
        with suppress(OSError):
            probe.unlink()
        raise UserError(
            f'work_dir: {path} cannot be written to ({error.strerror or error}). Make room there, '
            'or give another folder: --work-dir DIR.'
        ) from error
    return path


def claim_work_dir(folder: str | Path) -> None:
    """Take the folder of a training for this process until it ends, however it does.

    Of a distributed run the first process takes it. Two trainings in one folder would remove each
    other's checkpoints. File systems without locks are left as they are.

    Raises:
        UserError: another process trains there, with its number, machine and time; or the folder
            cannot be written to.
    """
    if not is_first_process():
        return
    path = make_work_dir(folder)
    handle = os.open(path / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 1000).decode(errors='replace').strip() or 'another process'
        os.close(handle)
        raise UserError(
            f'work_dir: {path} is in use: {holder} trains there. Wait for its end, or give another '
            'folder: --work-dir DIR.'
        ) from None
    except OSError:  # a file system without locks
        return
    held = [handle]

    def let_go() -> None:  # a loader process that outlives a killed training would hold its lock
        while held:
            os.close(held.pop())

    os.register_at_fork(after_in_child=let_go)
    now = datetime.now().astimezone().isoformat(' ', 'seconds')
    os.ftruncate(handle, 0)
    os.pwrite(
        handle, f'process {os.getpid()} on {socket.gethostname()}, since {now},\n'.encode(), 0
    )
