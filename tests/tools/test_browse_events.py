"""tools/analysis_tools/browse_events.py on files as they came from cameras, and its refusals.

On an experiment it is run in test_synthetic_events.py.
"""

import json
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/analysis_tools/browse_events.py'
CAMERA_RECORDINGS = Path(os.environ.get('ABC_EVENT_RECORDINGS', ROOT.parent / 'shared/data/events'))
CONFIG = ROOT / 'configs/small/abc_synthetic_events.py'


@pytest.fixture
def browse(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the tool in this process; its exit code."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
        try:
            runpy.run_path(str(TOOL), run_name='__main__')
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return run


def real(name: str) -> tuple[Path, dict]:
    """A recording of a camera and what is known of it."""
    folder = CAMERA_RECORDINGS / name
    if not (folder / 'recording.raw').is_file():
        pytest.skip('no recordings of cameras: ABC_EVENT_RECORDINGS names the folder')
    return folder / 'recording.raw', json.loads((folder / 'expected.json').read_text())


def ends_of_windows(known: dict, length_us: int) -> list[int]:
    first, last = known['first_t_us'], known['last_t_us']
    return list(range(first + length_us, last + 1, length_us))


def test_a_camera_recording_as_images(browse: Callable[..., int], tmp_path: Path) -> None:
    path, known = real('evt3_vga_2s')
    assert browse(path, '--out', tmp_path / 'images', '--window-ms', 100) == 0
    images = sorted((tmp_path / 'images').iterdir())
    names = [f'recording_{end // 1000:07d}ms.png' for end in ends_of_windows(known, 100_000)]
    assert [path.name for path in images] == names
    ink = [(cv2.imread(str(path)) < 250).any(axis=-1) for path in images]
    assert all(part.shape == (480 + 18, 640) for part in ink)
    shares = [part[:480].mean() for part in ink]
    assert max(shares) > 2 * min(shares) > 0, 'somebody walks by'
    assert all(part[480:].any() for part in ink), 'and it says when'


def test_a_camera_recording_as_a_video(browse: Callable[..., int], tmp_path: Path, capsys) -> None:
    path, known = real('evt3_hd_1s')
    out = tmp_path / 'new' / 'video.mp4'
    assert browse(path, '--out', out, '--limit', 4, '--fps', 8) == 0
    assert len(ends_of_windows(known, 50_000)) > 4
    assert '4 images' in capsys.readouterr().out
    video = cv2.VideoCapture(str(out))
    assert video.get(cv2.CAP_PROP_FPS) == 8
    frames = [video.read() for _ in range(5)]
    assert [there for there, _ in frames] == [True] * 4 + [False]
    assert all(frame.shape == (720 + 18, 1280, 3) for _, frame in frames[:4])
    assert [path.name for path in out.parent.iterdir()] == ['video.mp4'], 'no left-overs'


def test_a_camera_recording_without_a_size(
    browse: Callable[..., int], tmp_path: Path, capsys
) -> None:
    path, known = real('evt2_vga')
    assert browse(path, '--out', tmp_path / 'images') == 2
    error = capsys.readouterr().err
    assert '--size WxH' in error and str(path) in error
    assert list(tmp_path.iterdir()) == []
    assert browse(path, '--out', tmp_path / 'images', '--size', '640x480') == 0
    (image,) = (tmp_path / 'images').iterdir()
    assert image.name == f'recording_{ends_of_windows(known, 50_000)[0] // 1000:07d}ms.png'
    assert cv2.imread(str(image)).shape == (498, 640, 3)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three events of a sensor whose size the file does not tell."""
    path = tmp_path / 'street_td.h5'
    with h5py.File(path, 'w') as file:
        columns = dict(x=[9, 3, 4], y=[1, 2, 7], p=[1, 0, 1], t=[5, 60_000, 90_000])
        for name, values in columns.items():
            file[f'events/{name}'] = np.array(values)
    return path


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['nowhere.raw'], 'nowhere.raw'),
        (['nowhere.py'], 'no config file nowhere.py'),
        ([ROOT / 'README.md'], 'recordings end in .raw, .dat, .aedat4, .h5'),
        (['RECORDING'], 'give --size WxH'),
        (['RECORDING', '--size', '0x480'], '--size'),
        (['RECORDING', '--size', '640x'], "'640x' is not of the form 320x192"),
        (['RECORDING', '--size', '3x1'], 'street_td.h5'),
        (['RECORDING', '--size', '640x480', '--fps', '0'], '--fps'),
        (['RECORDING', '--size', '640x480', '--window-ms', '0'], '--window-ms'),
        (['RECORDING', 'iter_1.pth'], 'event_recordings.py'),
        ([CONFIG, '--cfg-options', 'data_root=nowhere'], 'synthetic_events.py'),
        ([CONFIG, '--split', 'everything'], 'invalid choice'),
        ([ROOT / 'configs/small/abc_synthetic.py', '--cfg-options', 'DATA'], 'for images'),
        ([CONFIG, 'nowhere.pth', '--cfg-options', 'DATA'], 'no checkpoint nowhere.pth'),
    ],
    ids=lambda value: '' if isinstance(value, str) else ' '.join(Path(v).name for v in value),
)
def test_mistakes_end_in_one_message(
    browse: Callable[..., int],
    recording: Path,
    tmp_path: Path,
    arguments: list,
    words: str,
    capsys,
) -> None:
    for name in ('train', 'val', 'annotations/train.json', 'annotations/val.json'):
        (tmp_path / 'data' / name).mkdir(parents=True)  # only to be there
    named = dict(RECORDING=recording, DATA=f'data_root={tmp_path}/data')
    arguments = [named.get(argument, argument) for argument in arguments]
    before = sorted(tmp_path.rglob('*'))
    assert browse(*arguments, '--out', tmp_path / 'images') == 2
    message = capsys.readouterr().err.split('error: ', 1)[1]
    assert words in message and 'Traceback' not in message
    assert sorted(tmp_path.rglob('*')) == before, 'nothing is written'
