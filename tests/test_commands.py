"""Messages in the words of the command."""

import sys

import pytest

from abc_mmdet.commands import in_words_of_the_command

MESSAGE = (
    'tools/analysis_tools/check_dataset.py CONFIG says it; convert it again '
    '(python tools/dataset_converters/event_recordings.py). See tools/launch.py.'
)


def test_the_command_is_not_told_of_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'argv', ['abc-mmdet train', 'mine.py'])
    assert in_words_of_the_command(MESSAGE) == (
        'abc-mmdet check CONFIG says it; convert it again (abc-mmdet convert event-recordings). '
        'See tools/launch.py.'
    )


@pytest.mark.parametrize('argv', [['tools/train.py', 'mine.py'], ['-c'], []])
def test_a_tool_speaks_of_tools(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'argv', argv)
    assert in_words_of_the_command(MESSAGE) == MESSAGE
