"""What folders, patterns and files stand for."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from abc_mmdet.errors import UserError
from abc_mmdet.inference.sources import Video, find_sources, number_of_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ('b.png', 'a.JPG', 'day/a.jpg', 'night/a.jpg', 'note.txt', '.c.jpg', 'out/a.jpg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(*inputs: object, leave_out: Path | None = None) -> list[str]:
    return [source.name for source in find_sources([str(i) for i in inputs], leave_out)]


def test_a_folder_stands_for_all_below_it_but_the_results(folder: Path) -> None:
    found = names(folder, leave_out=folder / 'out')
    assert found == ['a.JPG', 'b.png', 'day/a.jpg', 'night/a.jpg']
    assert names(folder / 'out', leave_out=folder / 'results') == ['a.jpg']


def test_patterns(folder: Path) -> None:
    assert names(f'{folder}/**/a.jpg', leave_out=folder / 'out') == ['day/a.jpg', 'night/a.jpg']
    assert names(f'{folder}/*.p?g') == ['b.png']


def test_names_are_unique_and_files_come_once(folder: Path) -> None:
    found = names(folder / 'night', folder / 'day', folder / 'day' / 'a.jpg')
    assert found == ['a.jpg', 'a_2.jpg']


def test_a_named_file_may_be_of_any_kind(folder: Path) -> None:
    assert names(folder / 'note.txt', leave_out=folder) == ['note.txt']


@pytest.mark.parametrize(
    ('given', 'message'),
    [('empty', 'no image and no video'), ('*.gif', 'no image'), ('x.jpg', 'does not exist')],
)
def test_nothing_there_is_a_mistake(given: str, message: str, folder: Path) -> None:
    (folder / 'empty').mkdir()
    with pytest.raises(UserError, match=message):
        names(folder / given)


def test_videos(tmp_path: Path) -> None:
    path = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 5, (32, 24))
    for grey in (10, 100, 200):
        writer.write(np.full((24, 32, 3), grey, np.uint8))
    writer.release()
    (source,) = find_sources([str(path)])
    assert source.is_video
    assert number_of_images(source) == 3
    video = Video(path)
    assert video.fps == 5
    assert [round(image.mean(), -1) for image in video] == [10, 100, 200]
    video.check_end()
    (tmp_path / 'cut.mp4').write_bytes(b'0' * 100)
    with pytest.raises(UserError, match=r'cut.mp4 is no video'):
        Video(tmp_path / 'cut.mp4')


@pytest.mark.parametrize('suffix', ['avi', 'mkv'])
@pytest.mark.parametrize('share', [1, 0.5])
def test_a_video_knows_whether_it_is_whole(suffix: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / f'video.{suffix}'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 5, (32, 24))
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    for i in range(24):
        writer.write(np.roll(noise, i, axis=1))
    writer.release()
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    video = Video(path)
    count = len(list(video))
    if share == 1:
        video.check_end()
        assert count == 24
    else:
        with pytest.raises(UserError, match=f'{count} of its 24 images could be read'):
            video.check_end()
