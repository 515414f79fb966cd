import re
from pathlib import Path

import cv2
import pytest
import torch

from abc_mmdet.apis import config_mistakes, file_mistakes, user_messages
from abc_mmdet.errors import UserError
from mmdet.registry import MODELS


def test_user_error_becomes_a_message_and_exit_code_2(capsys) -> None:
    with pytest.raises(SystemExit) as exit_, user_messages():
        raise UserError('the file a.json has no images')
    assert exit_.value.code == 2
    assert capsys.readouterr().err == '\nerror: the file a.json has no images\n'


def test_other_errors_pass_with_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError), user_messages():
        _ = 1 / 0


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
    pictures = Broken()
    pictures.error = error  # type: ignore[attr-defined]
    loader = torch.utils.data.DataLoader(pictures, num_workers=num_workers)
    with pytest.raises(UserError) as found, file_mistakes():
        list(loader)
    assert re.search(rf'could not be read\.\n  .*{text}\n.*check_dataset', str(found.value))
    assert 'Traceback' not in str(found.value)


def test_other_mistakes_of_a_run_stay_what_they_are() -> None:
    for kind in (AssertionError, KeyError, UserError):
        with pytest.raises(kind, match='something else'), file_mistakes():
            raise kind('something else')


def test_a_message_out_of_a_worker_is_the_message(capsys) -> None:
    pictures = Broken()
    pictures.error = UserError('labels.npz is damaged.\nDelete it.')  # type: ignore[attr-defined]
    with pytest.raises(SystemExit), user_messages():
        list(torch.utils.data.DataLoader(pictures, num_workers=1))
    assert capsys.readouterr().err == '\nerror: labels.npz is damaged.\nDelete it.\n'
