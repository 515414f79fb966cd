"""Event recordings: what is wrong with them, and how large their objects are."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from abc_mmdet.apis import load_experiment
from abc_mmdet.custom_dataset import as_dict, as_text, check_dataset

from .events import CAR, HISTOGRAM, PEDESTRIAN, config, frames, record

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two recordings of training and one of validation, in order."""
    for seed, name in enumerate(('train/a', 'train/b', 'val/c')):
        record(tmp_path / name, frames(), seed)
    return tmp_path


def found(root: Path, **more: object) -> dict:
    return {issue.kind: issue for issue in check_dataset(config(root), **more).issues}


def test_recordings_in_order(root: Path) -> None:
    dataset_check = check_dataset(config(root))
    assert dataset_check.issues == []
    assert [split.title for split in dataset_check.splits] == ['train', 'val, test']
    report = as_dict(dataset_check)
    assert json.loads(json.dumps(report)) == report
    train = report['splits'][0]
    assert (train['recordings'], train['labelled_frames'], train['steps']) == (2, 6, 12)
    assert (train['boxes'], train['annotations'], train['empty_frames']) == (12, 12, 0)
    assert train['input_sizes'] == [[48, 32]]
    # Half the size that labels have on the sensor
    sizes = {c['name']: (c['boxes'], c['median_size']) for c in train['classes']}
    assert sizes == {'pedestrian': (6, 4.0), 'car': (6, 12.0)}
    assert train['share_below'] == {'5.0': 0.5}
    text = as_text(dataset_check)
    assert f'train: {root}/train, event representations downsampled by 2' in text
    assert '2 recordings, 6 labelled frames, 12 usable boxes; network input 48x32' in text
    assert (
        '50 % of the boxes are under 5 px at this input size, too small for any network: raise it '
        '(the sensor has 2.0 times as many pixels each way)' in text
    )
    assert text.endswith('0 problems, 0 warnings')


def moved(box: tuple) -> Callable[[Path], object]:
    """One more box in the first frame of a recording."""

    def spoil(root: Path) -> None:
        record(root / 'train/x', [[*frames(1)[0], box], *frames(3)[1:]], 7)

    return spoil


def times(which: str, order: list[int]) -> Callable[[Path], object]:
    def spoil(root: Path) -> None:
        path = root / 'train/a/event_representations_v2' / HISTOGRAM / which
        np.save(path, np.load(path)[order])

    return spoil


def added(**options: object) -> Callable[[Path], object]:
    return lambda root: record(root / 'train/x', frames(), 7, **options)  # type: ignore[arg-type]


def copied(to: str) -> Callable[[Path], object]:
    return lambda root: shutil.copytree(root / 'train/a', root / to)


def damaged(root: Path) -> None:
    (root / 'train/a/labels_v2/labels.npz').write_bytes(b'no labels')


DEFECTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    'missing_recordings': (
        'problem',
        lambda root: (root / 'train/gone/labels_v2').mkdir(parents=True),
        'gone',
    ),
    'unreadable_recordings': ('problem', damaged, 'a: '),
    'unordered_times': (
        'problem',
        times('timestamps_us.npy', [2, 1, 0, 3, 4, 5]),
        'a',
    ),
    'labels_outside_recording': ('problem', added(late_us=10_000_000), 'x at 10.1'),
    'labels_beside_windows': ('problem', added(late_us=-50_000), 'x at 0.05'),
    'unknown_class_id': ('problem', moved((2, 20, 9, 9, 8)), 'x at 0.100 s: class_id 8'),
    'zero_area': (
        'problem',
        moved((2, 20, 0, 9, CAR)),
        'x at 0.100 s: class_id 1, x, y, w, h [2, 20, 0, 9]',
    ),
    'outside_image': ('problem', moved((96, 20, 9, 9, CAR)), '[96, 20, 9, 9]'),
    'across_border': ('warning', moved((90, 20, 9, 9, CAR)), '[90, 20, 9, 9]'),
    'below_one_pixel': ('warning', moved((2, 20, 0.5, 9, CAR)), '[2, 20, 0.5, 9]'),
    'duplicate_boxes': ('problem', moved((2, 4, 8, 8, PEDESTRIAN)), 'x at 0.1'),
    'unused_categories': ('warning', moved((2, 20, 9, 9, 4)), 'motorbike (1 boxes)'),
    'other_shapes': ('problem', added(size=(64, 32)), 'x: (20, 32, 64)'),
    'duplicate_recordings': ('warning', copied('train/x'), 'train/a = '),
    'shared_recordings': ('problem', copied('val/x'), 'val/x = '),
    'no_events': ('problem', added(silent=6), 'x'),
    'labels_without_events': (
        'problem',
        added(silent=4),
        'x: frames 0 to 1 of 3 (0.05 s to 0.20 s) before the first event',
    ),
    'empty_recordings': ('note', lambda root: record(root / 'train/x', [[]], 7), 'x'),
}


def test_labels_that_are_no_numbers_make_a_recording_unreadable(root: Path) -> None:
    moved((np.nan, 20, 9, 9, CAR))(root)
    (issue,) = found(root).values()
    assert issue.kind == 'unreadable_recordings'
    assert 'the field x of labels' in issue.examples[0]


@pytest.mark.parametrize('kind', DEFECTS)
def test_defect_is_found_where_it_is(kind: str, root: Path) -> None:
    level, spoil, example = DEFECTS[kind]
    spoil(root)
    issues = found(root)
    # A frame without boxes is part of a recording without; times out of order, of labels beside
    also = {'empty_frames', *(['labels_beside_windows'] if kind == 'unordered_times' else [])}
    assert set(issues) - also == {kind}
    assert issues[kind].level == level
    assert example in issues[kind].examples[0]
    assert issues[kind].where.startswith((str(root), 'train / val'))


def test_what_needs_all_events_is_left_out_by_wish(root: Path) -> None:
    record(root / 'train/x', frames(), 7, silent=6)
    shutil.copytree(root / 'train/a', root / 'val/x')
    assert found(root, decode=False) == {}


def test_the_wrong_resolution_and_the_wrong_classes(root: Path) -> None:
    experiment = config(root, downsample='none')
    (issue, *_) = check_dataset(experiment).issues
    assert issue.kind == 'unreadable_recordings'
    assert 'There: event_representations_ds2_sum.h5' in issue.examples[0]
    experiment = config(root)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        experiment[loader].dataset.metainfo.classes = ('car', 'pedestrian', 'tram')
    kinds = {issue.kind: issue for issue in check_dataset(experiment).issues}
    assert set(kinds) == {'classes_without_boxes'}
    assert kinds['classes_without_boxes'].examples == ['tram']


@pytest.mark.parametrize('name', ['abc_sod_basic_100k', 'small/abc_synthetic_events'])
def test_our_configs(name: str, root: Path) -> None:
    options = {'data_root': str(root)}
    if name.startswith('small'):
        options['model.backbone.in_channels'] = 10
    else:
        shutil.copytree(root / 'val', root / 'test')
        for loader in ('train', 'val', 'test'):
            options[f'{loader}_dataloader.dataset.downsample'] = 'sum'
    dataset_check = check_dataset(load_experiment(str(ROOT / 'configs' / f'{name}.py'), options))
    assert dataset_check.strides == [4, 8, 16, 32]
    kinds = {issue.kind: issue for issue in dataset_check.issues}
    if name.startswith('small'):
        assert set(kinds) == {'classes_without_boxes', 'model_channels'}
        assert kinds['model_channels'].examples == ['20']
    else:
        assert set(kinds) == {'classes_without_boxes'}
    assert '50 % of the boxes are under 5 px' in as_text(dataset_check)
