"""Files that are there as a whole or not at all."""

import os
from pathlib import Path

import pytest

from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import atomic_write, replace_file


def test_replaced(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'file.json'
    for content in (b'first', b'second'):
        atomic_write(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize('write', [replace_file, atomic_write])
def test_what_fails_leaves_the_earlier_file_alone(write, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / 'file.json'
    path.write_bytes(b'earlier')

    def full(*_: object) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises((OSError, UserError), match='No space left on device'):
        write(path, b'later')
    assert path.read_bytes() == b'earlier'
    assert list(tmp_path.iterdir()) == [path]
