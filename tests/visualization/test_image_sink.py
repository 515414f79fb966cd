from pathlib import Path

import cv2
import numpy as np
import pytest

from abc_mmdet.errors import UserError
from abc_mmdet.visualization import ImageSink

IMAGES = [np.full((32, 48, 3), grey, np.uint8) for grey in (0, 120, 250)]


def test_folder_of_images(tmp_path: Path) -> None:
    with ImageSink(tmp_path / 'a/b', fps=20) as sink:
        for i, image in enumerate(IMAGES):
            sink.add(f'p{i}', image)
    assert sorted(p.name for p in (tmp_path / 'a/b').iterdir()) == ['p0.png', 'p1.png', 'p2.png']
    assert (cv2.imread(str(tmp_path / 'a/b/p1.png')) == IMAGES[1]).all()


def test_video(tmp_path: Path) -> None:
    with ImageSink(tmp_path / 'video.mp4', fps=10) as sink:
        for image in IMAGES:
            sink.add('', image)
    video = cv2.VideoCapture(str(tmp_path / 'video.mp4'))
    assert video.get(cv2.CAP_PROP_FPS) == 10
    for image in IMAGES:
        there, frame = video.read()
        assert there
        assert abs(frame.astype(int) - image).max() < 12, 'but for the compression'
    assert not video.read()[0]


def test_a_video_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyError), ImageSink(tmp_path / 'video.mp4', fps=10) as sink:
        sink.add('', IMAGES[0])
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    for out in ('file', 'file/below', 'file/video.mp4'):
        with pytest.raises(UserError, match='file'), ImageSink(tmp_path / out, fps=1) as sink:
            sink.add('a', IMAGES[0])
    assert [path.name for path in tmp_path.iterdir()] == ['file']


@pytest.mark.parametrize('out', ['a/b', 'a/video.mp4'])
def test_without_a_image_nothing_is_written(tmp_path: Path, out: str) -> None:
    with ImageSink(tmp_path / out, fps=1):
        pass
    assert list(tmp_path.iterdir()) == []
