"""The layouts of the catalogue, and folders of another data set."""

from collections.abc import Callable
from pathlib import Path

import pytest

from abc_mmdet.datasets.events.catalogue import CATALOGUE
from abc_mmdet.datasets.events.layouts import LAYOUTS, find_sources
from abc_mmdet.errors import UserError

from .miniatures import write_dsec, write_ev_uav, write_fred, write_pedro

WRITE: dict[str, Callable[[Path], object]] = {
    'dsec-detection': lambda folder: write_dsec(folder / 'train' / 'thun_00_a'),
    'pedro': write_pedro,
    'fred': lambda folder: write_fred(folder / 'train' / '0'),
    'ev-uav': lambda folder: write_ev_uav(folder / 'val' / 'val_000.npz'),
}


def write_etram(folder: Path) -> None:
    (folder / 'val').mkdir(parents=True)
    (folder / 'val' / 'street_bbox.npy').touch()


def test_every_data_set_has_one() -> None:
    assert list(LAYOUTS) == list(CATALOGUE)
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert entry.frame_ms % entry.step_ms == 0
        assert len(set(entry.classes)) == len(entry.classes) >= entry.kept


@pytest.mark.parametrize('written', [*WRITE, 'etram'])
@pytest.mark.parametrize('asked', list(CATALOGUE))
def test_a_folder_of_another_data_set_is_named(written: str, asked: str, tmp_path: Path) -> None:
    WRITE.get(written, write_etram)(tmp_path)
    if LAYOUTS[asked] is LAYOUTS[written]:
        assert find_sources(tmp_path, asked)
        return
    with pytest.raises(UserError) as raised:
        find_sources(tmp_path, asked)
    message = str(raised.value)
    assert f'--dataset {written}' in message
    assert f'not {LAYOUTS[asked].name}.' in message
    assert message.count('--dataset') == (3 if written == 'etram' else 1)


@pytest.mark.parametrize('name', list(CATALOGUE))
def test_folders_of_no_data_set(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match='nowhere does not exist'):
        find_sources(tmp_path / 'nowhere', name)
    with pytest.raises(UserError, match='none of the folders train, val, test'):
        find_sources(tmp_path, name)
    (tmp_path / 'train').mkdir()
    with pytest.raises(UserError, match=r'there are no recordings \(.+\) in it\.$'):
        find_sources(tmp_path, name)
