"""Which recordings a folder of Prophesee's files holds."""

from pathlib import Path

import pytest

from abc_mmdet.datasets.events.layouts import Source, find_sources
from abc_mmdet.errors import UserError


def test_find_sources(tmp_path: Path) -> None:
    names = {
        'train': ['b_td.h5', 'b_bbox.npy', 'a_td.dat.h5', 'a_bbox.npy', 'README.md'],
        'val': ['only_events_td.h5', 'only_boxes_bbox.npy', 'c.raw', 'd_td.dat', 'e_td.raw'],
    }
    for split, files in names.items():
        (tmp_path / split).mkdir()
        for name in files:
            (tmp_path / split / name).touch()
    train, val = tmp_path / 'train', tmp_path / 'val'
    assert find_sources(tmp_path, 'etram') == [
        Source('a', 'train', train / 'a_td.dat.h5', train / 'a_bbox.npy'),
        Source('b', 'train', train / 'b_td.h5', train / 'b_bbox.npy'),
        Source('c', 'val', val / 'c.raw', val / 'c_bbox.npy'),
        Source('d', 'val', val / 'd_td.dat', val / 'd_bbox.npy'),
        Source('e', 'val', val / 'e_td.raw', val / 'e_bbox.npy'),
        Source('only_boxes', 'val', val / 'only_boxes_td.h5', val / 'only_boxes_bbox.npy'),
        Source('only_events', 'val', val / 'only_events_td.h5', val / 'only_events_bbox.npy'),
    ]
    with pytest.raises(UserError, match='nowhere does not exist'):
        find_sources(tmp_path / 'nowhere', 'etram')
    with pytest.raises(UserError, match='none of the folders train, val, test'):
        find_sources(train, 'etram')
    (tmp_path / 'empty' / 'train').mkdir(parents=True)
    with pytest.raises(UserError, match='there are no recordings'):
        find_sources(tmp_path / 'empty', 'etram')
