"""tools/infer.py on event recordings, as users call it."""

import csv
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from abc_mmdet import StreamingInferencer
from abc_mmdet.datasets.events.conversion import ConversionSettings, Source, convert

from ..inference.event_streams import SIZE, moving_block, write_h5, write_model
from ..warm_python import python
from .in_process import run_in_process

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/infer.py'
LABEL = np.dtype(
    [('t', '<u8'), *[(k, '<f4') for k in 'xywh'], ('class_id', '<u4'), ('track_id', '<u4')]
)


@pytest.fixture(scope='module')
def model(random_weights, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Config and checkpoint."""
    return write_model(random_weights, tmp_path_factory.mktemp('run'))


@pytest.fixture(scope='module')
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    events = moving_block(0.62)
    events['x'][7] = 200  # outside of the sensor
    events['t'][300] -= 4000  # late
    return write_h5(tmp_path_factory.mktemp('recording') / 'block_td.h5', events)


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Callable[..., tuple[int, str, str]]:
    """Runs the tool in this process: exit code, output and errors."""

    def run(*arguments: object, tool: str = 'tools/infer.py') -> tuple[int, str, str]:
        return run_in_process(tool, arguments, monkeypatch, capsys)

    return run


def test_a_recording(model: tuple[str, str], recording: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    command = [python(), TOOL, *model, recording, '--out', out, '--score-thr=0.2', '--device=cpu']
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert 'Traceback' not in result.stderr
    assert '12window' in result.stderr.replace(' ', '')
    said = re.search(
        r'block_td\.h5: 12 windows of 50 ms in \d+\.\d s: \d+\.\d+ x real time; '
        r'latency per window: median (\d+\.\d) ms, 95 % within (\d+\.\d) ms\n'
        r'.* events; windows: 2 empty, (\d+) late, 0 dropped',
        result.stdout,
    )
    assert said, result.stdout
    assert re.search(r'\d+ detections with a score from 0.2 on in 12 windows', result.stdout)
    warnings = [line for line in result.stderr.splitlines() if line.startswith('warning: block')]
    assert len(warnings) == 2
    assert warnings[0].endswith('h5: events outside of the sensor, left out: 1')
    assert 'times smaller than one before them, put in order: 1' in warnings[1]

    content = json.loads((out / 'detections.json').read_text())
    expected = [f.above(0.2) for f in StreamingInferencer(*model, device='cpu')(recording)]
    assert [image['timestamp_us'] for image in content['images']] == [f.time_us for f in expected]
    assert [image['number'] for image in content['images']] == list(range(12))
    assert {(i['width'], i['height'], i['video']) for i in content['images']} == {
        (*SIZE, 'block_td.h5')
    }
    latencies = [image['latency_ms'] for image in content['images']]
    assert float(said[1]) == pytest.approx(np.median(latencies), abs=0.06)
    assert float(said[2]) == pytest.approx(np.quantile(latencies, 0.95), abs=0.06)
    assert int(said[3]) == sum(latency > 50 for latency in latencies)
    for image, found in zip(content['images'], expected, strict=True):
        boxes = [a['bbox'] for a in content['annotations'] if a['image_id'] == image['id']]
        corners = np.array(boxes).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        np.testing.assert_allclose(corners, found.boxes, atol=0.01)
    (counts,) = content['recordings']
    assert (counts['name'], counts['windows'], counts['outside'], counts['corrected']) == (
        *('block_td.h5', 12, 1, 1),
    )

    with open(out / 'detections.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(content['annotations']) == sum(map(len, expected))
    times = {f'block_td.h5/{f.number:06d}.jpg': f.time_us for f in expected}
    assert all(int(row['time_us']) == times[row['file_name']] for row in rows)
    video = cv2.VideoCapture(str(out / 'images/block_td.h5.mp4'))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 12
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(20), 'real time'
    assert video.get(cv2.CAP_PROP_FRAME_WIDTH) == SIZE[0]


def test_the_detections_of_the_test_tool(
    model: tuple[str, str], recording: Path, tmp_path: Path, call: Callable
) -> None:
    """``tools/test.py`` on a converted, labelled recording, against ``infer.py`` on its folder."""
    begin = int(moving_block(0.62)['t'][0])
    labels = np.zeros(5, LABEL)
    labels['t'] = begin + 100_000 * np.arange(1, 6)
    labels['w'] = labels['h'] = 10
    np.save(tmp_path / 'boxes_bbox.npy', labels)
    inferencer = StreamingInferencer(*model, device='cpu')
    settings = ConversionSettings('etram', inferencer.histogram)
    source = Source('block', 'test', recording, tmp_path / 'boxes_bbox.npy')
    convert(source, tmp_path / 'data', settings)
    loader = ('num_workers=0', 'persistent_workers=False', f'dataset.data_root={tmp_path}/data')
    options = [f'test_dataloader.{o}' for o in (*loader, 'dataset.data_prefix.recordings=test/')]
    tested = tmp_path / 'tested.bbox.json'
    code, _, error = call(
        *(*model, '--out', tested, '--work-dir', tmp_path / 'work', '--cfg-options', *options),
        tool='tools/test.py',
    )
    assert code == 0, error
    folder = tmp_path / 'data/test/block'
    out = tmp_path / 'out'
    code, printed, error = call(*model, folder, '--out', out, '--score-thr', 0.0, '--device=cpu')
    assert code == 0, error
    content = json.loads((out / 'detections.json').read_text())
    ends = np.load(next(folder.rglob('event_repr*/*/timestamps_us.npy'))).tolist()
    assert [image['timestamp_us'] for image in content['images']] == ends
    assert f'block: {len(ends)} windows' in printed

    by_image: dict[int, list] = {}
    for found in json.loads(tested.read_text()):
        by_image.setdefault(found['image_id'], []).append(found)
    assert sorted(by_image) == list(range(5))
    steps = np.load(next(folder.rglob('objframe_idx_2_repr_idx.npy'))).tolist()
    for frame, step in enumerate(steps):
        image = content['images'][step]['id']
        ours = [a for a in content['annotations'] if a['image_id'] == image]
        one, other = (
            np.array([[*f['bbox'], 100 * f['score'], 1000 * f['category_id']] for f in found])
            for found in (ours, by_image[frame])
        )
        other[:, 5] += 1000 * (one[:, 5].min() - other[:, 5].min()) / 1000  # from 0 or from 1 on
        assert len(one) == len(other) > 10
        apart = np.abs(one[:, None] - other).max(axis=2)
        assert max(apart.min(axis=0).max(), apart.min(axis=1).max()) < 0.02


class TestMistakes:
    def mistake(self, call: Callable, *arguments: object) -> str:
        code, _, error = call(*arguments)
        assert code == 2
        assert 'Traceback' not in error
        return error

    def test_inputs(self, call: Callable, model, recording: Path, tmp_path: Path) -> None:
        out = ('--out', tmp_path / 'out')
        untold = write_h5(tmp_path / 'untold.h5', moving_block(0.1), None)
        assert 'give --size WxH' in self.mistake(call, *model, untold, *out)
        assert 'does not exist' in self.mistake(call, *model, tmp_path / 'no.raw', *out)
        (tmp_path / 'empty').mkdir()
        error = self.mistake(call, *model, tmp_path / 'empty', *out)
        assert 'there is no event recording in it (.raw, ' in error
        (tmp_path / 'text.raw').write_text('text')
        assert 'has no header' in self.mistake(call, *model, tmp_path / 'text.raw', *out)
        error = self.mistake(call, *model, recording, *out, '--batch', 2)
        assert '--batch and --slice are for images' in error
        images = ROOT / 'configs/small/abc_synthetic.py'
        error = self.mistake(call, images, model[1], recording, *out)
        assert 'block_td.h5 is an event recording' in error
        error = self.mistake(call, images, model[1], 'a.jpg', *out, '--sensor-size', '6x4')
        assert 'are for detectors of event recordings' in error
        assert not (tmp_path / 'out').exists()

    def test_what_cannot_be_read_is_left_out(
        self, call: Callable, model: tuple[str, str], tmp_path: Path
    ) -> None:
        folder = tmp_path / 'recordings'
        (folder / 'deep').mkdir(parents=True)
        write_h5(folder / 'deep/short.h5', moving_block(0.12), None)
        none = {name: column[:0] for name, column in moving_block(0.12).items()}
        write_h5(folder / 'none.h5', none)
        (folder / 'damaged.h5').write_bytes(b'text')
        with h5py.File(folder / 'rectify_map.h5', 'w') as file:
            file['rectify_map'] = np.zeros(3)
        np.save(folder / 'short_bbox.npy', np.zeros(3))
        options = ('--sensor-size', '96x64', '--track', '--score-thr', 0.2, '--device', 'cpu')
        code, printed, error = call(*model, folder, '--out', tmp_path / 'out', *options)
        assert code == 1
        assert 'deep/short.h5: 2 windows of 50 ms' in printed
        assert 'left out: 2 of 3 files' in error
        assert 'damaged.h5 cannot be read: it is damaged' in error
        assert 'none.h5: the recording has no events' in error
        assert 'Traceback' not in error
        rows = (tmp_path / 'out/detections.csv').read_text().splitlines()
        assert rows[0].endswith(',track_id,time_us')
        assert (tmp_path / 'out/tracks/deep/short.h5.txt').is_file()
        assert (tmp_path / 'out/images/deep/short.h5.mp4').is_file()


def test_arrays_with_a_unit(call: Callable, model: tuple[str, str], tmp_path: Path) -> None:
    events = moving_block(0.12)
    np.savez(tmp_path / 'a.npz', **dict(events, t=events['t'] * 1000))
    command = (*model, tmp_path / 'a.npz', '--out', tmp_path / 'out', '--size', '96x64')
    code, _, error = call(*command, '--device', 'cpu')
    assert code == 2 and '--time-unit' in error
    code, printed, error = call(*command, '--time-unit', 'ns', '--device', 'cpu')
    assert code == 0, error
    assert 'a.npz: 2 windows of 50 ms' in printed


def test_a_recording_of_a_camera(call: Callable, model: tuple[str, str], tmp_path: Path) -> None:
    pytest.importorskip('faery', reason='.raw needs the extra `events`')
    folder = Path(os.environ.get('ABC_EVENT_RECORDINGS', ROOT.parent / 'shared/data/events'))
    path = folder / 'evt2_vga/recording.raw'
    if not path.is_file():
        pytest.skip('no recordings of cameras: ABC_EVENT_RECORDINGS names the folder')
    cut = tmp_path / 'cut.raw'
    cut.write_bytes(path.read_bytes()[:-2])
    expected = json.loads((path.parent / 'expected.json').read_text())
    command = (*model, cut, '--out', tmp_path / 'out', '--sensor-size', '640x480')
    code, printed, error = call(*command, '--device', 'cpu')
    assert code == 0, error
    windows = (expected['last_t_us'] - expected['first_t_us']) // 50_000
    assert f'cut.raw: {windows} windows of 50 ms' in printed
    assert f'{expected["num_events"] - 1:,} events; windows: 0 empty' in printed
    assert 'is cut off: 2 bytes of another event' in error
