import errno
import os
import re
import signal
import subprocess
from pathlib import Path

import cv2
import pytest
import torch

from abc_mmdet.apis import config_mistakes, file_mistakes, user_messages
from abc_mmdet.errors import UserError
from mmdet.registry import MODELS

from ..warm_python import python


def test_user_error_becomes_a_message_and_exit_code_2(capsys) -> None:
    with pytest.raises(SystemExit) as exit_, user_messages():
        raise UserError('the file a.json has no images')
    assert exit_.value.code == 2
    assert capsys.readouterr().err == '\nerror: the file a.json has no images\n'


def test_other_errors_pass_with_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError), user_messages():
        _ = 1 / 0


# A worker offers a file handle, as it does a tensor, and who wanted it hangs up in the greeting.
HANG_UP = """
import contextlib, multiprocessing, socket, sys, time
from multiprocessing import resource_sharer
from abc_mmdet.apis import user_messages

def work(answer):
    answer.send(resource_sharer.DupFd(0)._id[0])
    time.sleep(1)  # the sharer is a thread of this process
    if sys.argv[2] == 'and fails':
        sys.excepthook(ValueError, ValueError('of another kind'), None)

with user_messages() if sys.argv[1] == 'inside' else contextlib.nullcontext():
    fork = multiprocessing.get_context('fork')
    ours, theirs = fork.Pipe()
    worker = fork.Process(target=work, args=(theirs,))
    worker.start()
    wanted = socket.socket(socket.AF_UNIX)
    wanted.connect(ours.recv())
    wanted.close()
    worker.join()
"""


@pytest.mark.parametrize(
    ('where', 'then', 'said'),
    [
        ('outside', '', 'EOFError|ConnectionResetError|BrokenPipeError'),
        ('inside', '', '^$'),
        ('inside', 'and fails', '^ValueError: of another kind$'),
    ],
)
def test_workers_do_not_say_that_they_are_hung_up_on(where: str, then: str, said: str) -> None:
    done = subprocess.run(
        [python(), '-W', 'ignore', '-c', HANG_UP, where, then], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert re.search(said, done.stderr.strip()), done.stderr


@pytest.mark.parametrize(
    ('config', 'text'),
    [(dict(type='NoSuchHead'), 'NoSuchHead is not in'), (dict(type='YOLOX', neckk=1), 'neckk')],
)
def test_refused_configs_keep_their_text(config: dict, text: str) -> None:
    with pytest.raises(UserError, match=text) as error, config_mistakes('my.py'):
        MODELS.build(config)
    assert str(error.value).startswith('my.py ')


def test_missing_file_is_named() -> None:
    with pytest.raises(UserError, match='no_such_image'), file_mistakes():
        Path('no_such_image.png').read_bytes()


class Broken(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        raise self.error  # type: ignore[attr-defined]


@pytest.mark.parametrize('num_workers', [0, 1])
@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (AssertionError('failed to load image: a.jpg'), 'failed to load image: a.jpg'),
        (cv2.error('loadsave.cpp: pixels <= CV_IO_MAX_IMAGE_PIXELS'), 'CV_IO_MAX_IMAGE_PIXELS'),
    ],
)
def test_images_that_cannot_be_decoded(error: Exception, text: str, num_workers: int) -> None:
    images = Broken()
    images.error = error  # type: ignore[attr-defined]
    loader = torch.utils.data.DataLoader(images, num_workers=num_workers)
    with pytest.raises(UserError) as found, file_mistakes():
        list(loader)
    assert re.search(rf'could not be read\.\n  .*{text}\n.*check_dataset', str(found.value))
    assert 'Traceback' not in str(found.value)


def test_other_mistakes_of_a_run_stay_what_they_are() -> None:
    for kind in (AssertionError, KeyError, UserError):
        with pytest.raises(kind, match='something else'), file_mistakes():
            raise kind('something else')


def test_a_message_out_of_a_worker_is_the_message(capsys) -> None:
    images = Broken()
    images.error = UserError('labels.npz is damaged.\nDelete it.')  # type: ignore[attr-defined]
    with pytest.raises(SystemExit), user_messages():
        list(torch.utils.data.DataLoader(images, num_workers=1))
    assert capsys.readouterr().err == '\nerror: labels.npz is damaged.\nDelete it.\n'


class _Killed(torch.utils.data.Dataset):
    """Its loader process dies as if memory had run out."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return index


def test_a_loader_process_that_is_killed() -> None:
    with (
        pytest.raises(UserError, match='process that loads data has ended') as error,
        file_mistakes(),
    ):
        list(torch.utils.data.DataLoader(_Killed(), num_workers=1))
    assert 'num_workers' in str(error.value)


def test_a_disk_that_is_full_is_no_mistake_of_the_config() -> None:
    full = OSError(errno.ENOSPC, 'No space left on device', '/work/log')
    with pytest.raises(UserError, match=r'^/work/log cannot be written: No space') as error:
        _build_and_raise(full)
    assert 'mine.py' not in str(error.value)


def _build_and_raise(error: Exception) -> None:
    with config_mistakes('mine.py'):
        raise error
