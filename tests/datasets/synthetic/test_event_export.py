"""Synthetic event recordings on disk."""

import json
import multiprocessing
import resource
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2
import h5py
import hdf5plugin  # noqa: F401  the filter of the columns
import numpy as np
import pytest

from abc_mmdet.datasets.synthetic import CLASSES, SMALL_CLASSES, TrafficScene, event_export
from abc_mmdet.datasets.synthetic.coco_export import MIN_VISIBLE
from abc_mmdet.datasets.synthetic.event_export import (
    Annotator,
    EventRecipe,
    is_complete,
    liveliest_moment,
    prepare,
    write_recording,
)
from abc_mmdet.datasets.synthetic.traffic_scene import SceneObject
from abc_mmdet.errors import UserError

# Worker processes are forked from one that has this module already
multiprocessing.set_forkserver_preload([event_export.__name__])
TINY = EventRecipe(train=1, val=1, seconds=0.5, width=96, height=64, seed=4)


def silent(line: str) -> None:
    pass


def columns_of(stem: Path) -> dict[str, np.ndarray]:
    with h5py.File(f'{stem}_td.h5') as file:
        return {name: item[()] for name, item in file['events'].items()}


@pytest.fixture(scope='module')
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, np.ndarray]:
    """Its stem, events and boxes."""
    stem = tmp_path_factory.mktemp('recording') / 'street'
    scene = TrafficScene(14, (320, 192))
    counts = write_recording(stem, scene, liveliest_moment(scene, 3.0), 3.0, seed=5)
    events, boxes = columns_of(stem), np.load(f'{stem}_bbox.npy')
    assert counts == (len(events['t']), len(boxes))
    return stem, events, boxes


def test_it_has_the_form_of_etram(recording: tuple[Path, dict, np.ndarray]) -> None:
    _, events, boxes = recording
    assert set(events) == {'x', 'y', 'p', 't', 'width', 'height'}
    assert (events['width'], events['height']) == (320, 192)
    assert (np.diff(events['t']) >= 0).all()
    assert events['t'][0] >= 0 and 2_900_000 < events['t'][-1] <= 3_000_000
    assert events['x'].max() < 320 and events['y'].max() < 192
    assert set(np.unique(events['p'])) == {0, 1}
    fields = {'t', 'x', 'y', 'w', 'h', 'class_id', 'track_id', 'class_confidence'}
    assert set(boxes.dtype.names) == fields
    assert (boxes['class_confidence'] == 1).all()


def test_labels_come_at_30_hz_and_lie_on_the_sensor(
    recording: tuple[Path, dict, np.ndarray],
) -> None:
    _, _, boxes = recording
    times = np.unique(boxes['t'])
    assert (np.diff(boxes['t']) >= 0).all()
    assert (np.abs(np.diff(times) - 1e6 / 30) <= 1).all()
    assert times[0] < 300_000 and times[-1] == 3_000_000
    assert (boxes['x'] >= 0).all() and (boxes['y'] >= 0).all()
    assert (boxes['x'] + boxes['w'] <= 320.001).all() and (boxes['y'] + boxes['h'] <= 192.001).all()
    assert (np.minimum(boxes['w'], boxes['h']) >= 1).all()
    assert set(boxes['class_id']) <= set(range(8))
    for time in times:
        tracks = boxes['track_id'][boxes['t'] == time]
        assert len(set(tracks)) == len(tracks), 'one box per track'
    for track in np.unique(boxes['track_id']):
        assert len(set(boxes['class_id'][boxes['track_id'] == track])) == 1


def test_events_lie_where_boxes_move(recording: tuple[Path, dict, np.ndarray]) -> None:
    _, events, boxes = recording
    moving, still = [], []
    for time in np.unique(boxes['t'])[10::10]:
        now = slice(*np.searchsorted(events['t'], (time - 33_333, time)))
        x, y = events['x'][now], events['y'][now]
        before = {box['track_id']: box for box in boxes[np.abs(boxes['t'] - time + 33_333) <= 1]}
        for box in boxes[boxes['t'] == time]:
            old = before.get(box['track_id'])
            if old is None:
                continue
            inside = (x >= box['x']) & (x < box['x'] + box['w'])
            inside &= (y >= box['y']) & (y < box['y'] + box['h'])
            density = inside.sum() / (box['w'] * box['h'])
            shift = max(abs(float(box[k]) - float(old[k])) for k in 'xywh')
            if shift > 1:
                moving.append(density)
            elif shift == 0:
                still.append(density)
    assert min(len(moving), len(still)) > 10
    assert np.median(moving) > 10 * np.median(still)


def test_who_stands_keeps_the_label(recording: tuple[Path, dict, np.ndarray]) -> None:
    _, _, boxes = recording
    standing = 0
    for track in np.unique(boxes['track_id']):
        own = boxes[boxes['track_id'] == track]
        fixed = (np.diff(own['x']) == 0) & (np.diff(own['y']) == 0) & (np.diff(own['w']) == 0)
        standing += fixed.sum()
    assert standing > 100, 'a second and more of several objects'


def test_equal_seeds_give_equal_recordings(tmp_path: Path) -> None:
    written = []
    for name, seed in (('a', 3), ('b', 3), ('c', 4)):
        scene = TrafficScene(7, (96, 64))
        write_recording(tmp_path / name, scene, 2.0, 0.3, seed=seed)
        written.append(columns_of(tmp_path / name))
    a, b, c = written
    assert all(np.array_equal(a[name], b[name]) for name in a)
    boxes = [(tmp_path / f'{name}_bbox.npy').read_bytes() for name in 'abc']
    assert boxes[0] == boxes[1] == boxes[2], 'the seed is of the noise: the scene is the same'
    assert len(a['t']) != len(c['t']) or not np.array_equal(a['t'], c['t'])


@pytest.fixture(scope='module')
def sizes() -> dict[str, list[float]]:
    """Square roots of the areas of well visible boxes at 1280x720, by class, in many streets."""
    found: dict[str, list[float]] = {name: [] for name in CLASSES}
    for seed in range(12):
        scene = TrafficScene((0, 7, 0, seed), (1280, 720))
        for t in (0.0, 9.0):
            for item in scene.objects_at(t):
                x1, y1, x2, y2 = item.box
                whole = x1 > 0 and y1 > 0 and x2 < 1280 and y2 < 720
                if whole and item.visible > 0.8:
                    found[item.name].append(((x2 - x1) * (y2 - y1)) ** 0.5)
    return found


def test_all_classes_appear_in_realistic_sizes(sizes: dict[str, list[float]]) -> None:
    assert min(map(len, sizes.values())) >= 5
    median = {name: float(np.median(values)) for name, values in sizes.items()}
    large = min(median[name] for name in ('car', 'bus', 'truck', 'tram'))
    for name in SMALL_CLASSES:
        assert 15 < median[name] < large
        assert median[name] < 100
    assert median['car'] < median['truck'] and median['car'] < median['bus']
    assert min(median['bus'], median['truck'], median['tram']) > 150


def seen(track: int, x: float, visible: float = 1.0, side: float = 20.0) -> SceneObject:
    return SceneObject(track, 0, (x, 5.0, x + side, 5.0 + side), visible)


def test_only_what_was_seen_to_move_is_labelled() -> None:
    annotator = Annotator(width=1280)
    assert annotator.label(0, [seen(1, 10.0), seen(2, 40.0)]) == []
    assert annotator.label(1, [seen(1, 11.5), seen(2, 40.0)]) == [], 'less than two pixels'
    (row,) = annotator.label(2, [seen(1, 12.5), seen(2, 40.0)])
    assert row == (2, 12.5, 5.0, 20.0, 20.0, 0, 1, 1.0)
    (row,) = annotator.label(3, [seen(1, 12.5), seen(2, 40.0)])
    assert row[6] == 1, 'and stays so while it stands'
    assert annotator.label(4, [seen(1, 12.5, visible=MIN_VISIBLE - 0.01)]) == []
    assert annotator.label(5, [seen(1, 12.5, side=3.9)]) == []
    assert len(annotator.label(6, [seen(1, 12.5)])) == 1


def test_limits_scale_with_the_sensor() -> None:
    annotator = Annotator(width=320)
    annotator.label(0, [seen(1, 10.0, side=1.1)])
    assert len(annotator.label(1, [seen(1, 10.6, side=1.1)])) == 1


def test_recordings_begin_where_traffic_moves_and_stop_where_it_stands() -> None:
    def share_that_moves(scene: TrafficScene, t: float) -> float:
        lanes = [lane for lane in scene.lanes if lane.travellers]
        moves = [lane.flow.distance(t + 0.1) > lane.flow.distance(t) for lane in lanes]
        return float(np.mean(moves))

    first, later = [], []
    for seed in range(6):
        scene = TrafficScene(seed, (96, 64))
        begin = liveliest_moment(scene, 4.0)
        first.append(share_that_moves(scene, begin + 0.2))
        later.append(share_that_moves(scene, begin + 3.8))
    assert np.mean(first) > 0.7
    assert np.mean(later) < np.mean(first) - 0.2


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('synthetic') / 'events'
    cv2.setNumThreads(4)
    cv2.GaussianBlur(np.zeros((2000, 2000), np.float32), (31, 31), 5)  # with threads, now
    lines: list[str] = []
    assert prepare(out, TINY, workers=2, progress=lines.append)
    assert [line.split(':')[0] for line in lines] == ['train/street_000', 'val/street_000']
    assert [path.name for path in out.parent.iterdir()] == ['events'], 'no left-overs'
    return out


def test_complete_ones_are_kept_and_other_recipes_refused(folder: Path) -> None:
    assert is_complete(folder, TINY)
    assert not prepare(folder, TINY, progress=silent)
    other = EventRecipe(**{**asdict(TINY), 'seed': 5})
    assert not is_complete(folder, other)
    with pytest.raises(UserError, match='--overwrite'):
        prepare(folder, other, progress=silent)
    assert is_complete(folder, TINY)


def test_each_recording_shows_another_street(folder: Path) -> None:
    train, val = (columns_of(folder / split / 'street_000') for split in ('train', 'val'))
    assert not np.array_equal(train['x'], val['x'])


def test_a_recording_that_is_gone_is_made_again(folder: Path, tmp_path: Path) -> None:
    before = columns_of(folder / 'val/street_000')
    (folder / 'val/street_000_td.h5').unlink()
    assert not is_complete(folder, TINY)
    with pytest.raises(UserError, match='damaged'):
        prepare(folder, TINY, progress=silent)
    assert prepare(folder, TINY, overwrite=True, progress=silent)
    again = columns_of(folder / 'val/street_000')
    assert all(np.array_equal(before[name], again[name]) for name in before), 'one worker or two'


def test_a_new_version_is_another_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_export, 'VERSION', '0.1')
    assert not is_complete(folder, TINY)


@pytest.mark.parametrize('recipe', ['', '[1]', json.dumps(dict(description='theses'))])
def test_foreign_files_are_never_replaced(tmp_path: Path, recipe: str) -> None:
    (tmp_path / 'recipe.json').write_text(recipe)
    with pytest.raises(UserError, match='not a synthetic data set'):
        prepare(tmp_path, TINY, overwrite=True, progress=silent)
    assert (tmp_path / 'recipe.json').read_text() == recipe


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def fails(line: str) -> None:
        raise OSError(28, 'No space left on device')

    with pytest.raises(UserError, match='No space left'):
        prepare(tmp_path / 'set', TINY, progress=fails)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files cannot grow beyond 4 kB in the processes that write."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (4096, hard))
    monkeypatch.setattr(event_export, '_quiet_worker', limit)
    with pytest.raises(UserError, match=f'cannot write {tmp_path}/set: File too large'):
        prepare(tmp_path / 'set', TINY, progress=silent)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (dict(train=0), '--train 0'),
        (dict(seconds=0.4), r'--seconds 0\.4'),
        (dict(seconds=float('nan')), '--seconds nan'),
        (dict(height=10), '--size 1280x10'),
        (dict(width=5000), '--size 5000x720'),
        (dict(seed=-1), '--seed -1'),
    ],
)
def test_a_recipe_for_nothing_is_refused(arguments: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        EventRecipe(**arguments)
