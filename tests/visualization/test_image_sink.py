from pathlib import Path

import cv2
import numpy as np
import pytest

from abc_mmdet.errors import UserError
from abc_mmdet.visualization import PictureSink

PICTURES = [np.full((32, 48, 3), grey, np.uint8) for grey in (0, 120, 250)]


def test_folder_of_pictures(tmp_path: Path) -> None:
    with PictureSink(tmp_path / 'a/b', fps=20) as sink:
        for i, picture in enumerate(PICTURES):
            sink.add(f'p{i}', picture)
    assert sorted(p.name for p in (tmp_path / 'a/b').iterdir()) == ['p0.png', 'p1.png', 'p2.png']
    assert (cv2.imread(str(tmp_path / 'a/b/p1.png')) == PICTURES[1]).all()


def test_film(tmp_path: Path) -> None:
    with PictureSink(tmp_path / 'film.mp4', fps=10) as sink:
        for picture in PICTURES:
            sink.add('', picture)
    film = cv2.VideoCapture(str(tmp_path / 'film.mp4'))
    assert film.get(cv2.CAP_PROP_FPS) == 10
    for picture in PICTURES:
        there, frame = film.read()
        assert there
        assert abs(frame.astype(int) - picture).max() < 12, 'but for the compression'
    assert not film.read()[0]


def test_a_film_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyError), PictureSink(tmp_path / 'film.mp4', fps=10) as sink:
        sink.add('', PICTURES[0])
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    for out in ('file', 'file/below', 'file/film.mp4'):
        with pytest.raises(UserError, match='file'), PictureSink(tmp_path / out, fps=1) as sink:
            sink.add('a', PICTURES[0])
    assert [path.name for path in tmp_path.iterdir()] == ['file']


@pytest.mark.parametrize('out', ['a/b', 'a/film.mp4'])
def test_without_a_picture_nothing_is_written(tmp_path: Path, out: str) -> None:
    with PictureSink(tmp_path / out, fps=1):
        pass
    assert list(tmp_path.iterdir()) == []
