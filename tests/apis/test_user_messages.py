from pathlib import Path

import pytest

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
