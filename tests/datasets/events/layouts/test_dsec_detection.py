"""DSEC-Detection, on a miniature in the layout of its toolkit."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from abc_mmdet.datasets.events.catalogue import DSEC_DETECTION
from abc_mmdet.datasets.events.layouts import LAYOUTS, Source, find_sources
from abc_mmdet.datasets.events.rvt_layout import RVTSequence
from abc_mmdet.errors import UserError

from .converted import converted
from .miniatures import DSEC_IMAGES, DSEC_OFFSET, DSEC_TRACK, write_dsec

NAME = 'dsec-detection'


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    return write_dsec(tmp_path / 'DSEC' / 'train' / 'thun_00_a')


def source_of(sequence: Path) -> Source:
    (source,) = find_sources(sequence.parents[1], NAME)
    return source


def labels_of(sequence: Path) -> None:
    LAYOUTS[NAME].labels(source_of(sequence), DSEC_DETECTION, 50_000)


def test_windows_frames_and_boxes(sequence: Path, tmp_path: Path) -> None:
    found = converted(source_of(sequence), NAME, tmp_path / 'out')
    assert found.windows_us == [100_000, 150_000, 200_000]
    assert found.events == [3, 4, 0]
    assert found.frames == {
        100_000: [(0, 4, 7, 8, 'pedestrian'), (500, 300, 50, 40, 'car')],
        150_000: [],
        200_000: [(630, 470, 10, 10, 'bicycle')],
    }
    counts = found.counts
    assert (counts['boxes_read'], counts['labelled'], counts['labelled_empty']) == (5, 3, 1)
    assert counts['labelled_without_boxes'] == 1
    assert (counts['events'], counts['events_between'], counts['events_outside']) == (8, 2, 0)
    assert {
        why: sum(sum(of.values()) for of in by.values()) for why, by in counts['dropped'].items()
    } == {
        'outside of the frame, or empty': 1,
        'between the labelled frames': 1,
    }


def test_frames_without_boxes_are_known_from_the_images_alone(tmp_path: Path) -> None:
    sequence = write_dsec(tmp_path / 'DSEC' / 'test' / 'thun_01_a', images=None)
    found = converted(source_of(sequence), NAME, tmp_path / 'out')
    assert list(found.frames) == [100_000, 200_000]
    assert found.windows_us == [100_000, 150_000, 200_000]


def test_a_frame_whose_boxes_are_left_out_is_not_one_without_objects(
    sequence: Path, tmp_path: Path
) -> None:
    found = converted(source_of(sequence), NAME, tmp_path / 'out', 'prophesee')
    assert list(found.frames) == [100_000, 150_000], 'at 200 ms all boxes are too small'


def test_splits_are_those_of_the_toolkit(tmp_path: Path) -> None:
    for name in ('train/zurich_city_16_a', 'train/zurich_city_15_b', 'test/thun_02_a'):
        write_dsec(tmp_path / name)
    (tmp_path / 'train' / 'only_disparity' / 'disparity').mkdir(parents=True)
    found = {source.name: source.split for source in find_sources(tmp_path, NAME)}
    assert found == {'zurich_city_16_a': 'val', 'zurich_city_15_b': 'train', 'thun_02_a': 'test'}


def test_class_ids_of_a_byte_and_tracks_are_kept(sequence: Path, tmp_path: Path) -> None:
    converted(source_of(sequence), NAME, tmp_path / 'out')
    labels = RVTSequence(tmp_path / 'out' / 'train' / 'thun_00_a').labels(0)
    assert labels['track_id'].tolist() == [1, 2]
    assert labels['t'].dtype == np.int64


@pytest.mark.parametrize(
    ('times', 'message'),
    [
        (DSEC_IMAGES[:2], '4 of 5 labels are of a time that no image'),
        ([-2_000_000, *DSEC_IMAGES], 'belong to another recording, or are in another clock'),
    ],
    ids=['other images', 'other clock'],
)
def test_images_of_another_recording(
    times: list[int], message: str, sequence: Path, tmp_path: Path
) -> None:
    write_dsec(sequence, images=times)
    with pytest.raises(UserError, match=message):
        labels_of(sequence)


def test_wrong_files(sequence: Path) -> None:
    images = sequence / 'images' / 'timestamps.txt'
    images.write_text('1.5\n')
    with pytest.raises(UserError, match=r'timestamps\.txt holds other than one time'):
        labels_of(sequence)
    images.unlink()
    tracks = sequence / 'object_detections' / 'left' / 'tracks.npy'
    rows = np.load(tracks)
    rows['class_id'][0] = 8
    np.save(tracks, rows)
    with pytest.raises(UserError, match=r'tracks\.npy: class_id 8, but .* 8 classes'):
        labels_of(sequence)
    rows['t'] -= DSEC_OFFSET  # as Prophesee's are
    np.save(tracks, rows)
    with pytest.raises(UserError, match=r'begin at 49599300472 µs \(t_offset\)'):
        labels_of(sequence)
    np.save(tracks, rows[[name for name in DSEC_TRACK.names if name != 'h']])
    with pytest.raises(UserError, match="no field 'h'"):
        labels_of(sequence)
    tracks.unlink()
    with pytest.raises(UserError, match=r'tracks\.npy is missing'):
        labels_of(sequence)
    with h5py.File(sequence / 'events' / 'left' / 'events.h5', 'a') as file:
        del file['t_offset']
    with pytest.raises(UserError, match=r'has no number t_offset'):
        labels_of(sequence)
