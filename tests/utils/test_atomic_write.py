"""Files that are there as a whole or not at all."""

import json
import os
from pathlib import Path

import cv2
import pytest
from matplotlib.figure import Figure

from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import atomic_write, replace_file, write_figure, write_json


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


def test_json_has_a_line_per_key_and_no_nan(tmp_path: Path) -> None:
    path = tmp_path / 'new/file.json'
    write_json(path, dict(a=[1.0, float('nan')], b=1 / 3, c=dict(text='ü')))
    assert json.loads(path.read_text()) == dict(a=[1.0, None], b=0.333333, c=dict(text='ü'))
    assert len(path.read_text().splitlines()) == 2 + 3


def test_a_figure_is_an_image(tmp_path: Path) -> None:
    write_figure(Figure(figsize=(2, 1)), tmp_path / 'plot.png')
    assert cv2.imread(str(tmp_path / 'plot.png')).shape == (100, 200, 3)
    assert [path.name for path in tmp_path.iterdir()] == ['plot.png']
