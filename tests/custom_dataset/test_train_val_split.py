"""Splitting an annotation file keeps together what belongs together."""

import json
from pathlib import Path

import pytest

from abc_mmdet.custom_dataset.train_val_split import split_file
from abc_mmdet.errors import UserError


def write(path: Path, names: list[str]) -> Path:
    images = [dict(id=i, file_name=n, width=64, height=64) for i, n in enumerate(names)]
    boxes = [
        dict(id=i, image_id=i // 2, category_id=1, bbox=[1, 1, 9, 9], area=81)
        for i in range(2 * len(names))
    ]
    categories = [dict(id=1, name='car')]
    path.write_text(json.dumps(dict(images=images, annotations=boxes, categories=categories)))
    return path


FOLDERS = [f'{folder}/{i:03d}.jpg' for folder in 'abcdefghij' for i in range(5)]
SEQUENCES = [f'{name}_{i:05d}.jpg' for name in ('day1', 'day2', 'night', 'fog') for i in range(10)]


@pytest.mark.parametrize(
    ('names', 'number', 'part', 'kind'),
    [
        (FOLDERS, 10, lambda name: name.split('/')[0], 'whole folders'),
        (SEQUENCES, 10, lambda name: name.split('_')[0], 'whole sequences'),
        ([f'{i}.jpg' for i in range(50)], 10, lambda name: name, 'drawn by lot'),
        (['x/a.jpg', 'x/b.jpg'], 1, lambda name: name, 'drawn by lot'),
    ],
)
def test_what_belongs_together_stays_together(
    names: list[str], number: int, part, kind: str, tmp_path: Path
) -> None:
    path = write(tmp_path / 'all.json', names)
    shares = split_file(str(path), 0.2, tmp_path / 'train.json', tmp_path / 'val.json')
    assert kind in shares.why and f'{number} of {len(names)} images' in shares.why
    files = [json.loads(p.read_text()) for p in (shares.train, shares.val)]
    sides = [[image['file_name'] for image in file['images']] for file in files]
    assert sorted(sides[0] + sides[1]) == sorted(names) and len(sides[1]) == number
    assert not {part(name) for name in sides[0]} & {part(name) for name in sides[1]}
    for file in files:
        assert file['categories'] == [dict(id=1, name='car')]
        ids = [image['id'] for image in file['images']]
        assert [a['image_id'] for a in file['annotations']] == [i for i in ids for _ in range(2)]
    before = (tmp_path / 'val.json').read_bytes()
    split_file(str(path), 0.2, tmp_path / 'train.json', tmp_path / 'val.json')
    assert (tmp_path / 'val.json').read_bytes() == before


@pytest.mark.parametrize('share', [0, 1, -1, float('nan')])
def test_shares_that_are_none(share: float, tmp_path: Path) -> None:
    path = write(tmp_path / 'all.json', FOLDERS)
    with pytest.raises(UserError, match='--val-share'):
        split_file(str(path), share, tmp_path / 'train.json', tmp_path / 'val.json')
