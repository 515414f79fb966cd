"""Synthetic data sets on disk."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from pycocotools.coco import COCO

from abc_mmdet.datasets.synthetic import CLASSES, SMALL_CLASSES, coco_export
from abc_mmdet.datasets.synthetic.coco_export import Recipe, is_complete, prepare
from abc_mmdet.errors import UserError
from mmdet.registry import DATASETS

ROOT = Path(__file__).parents[3]
RECIPE = Recipe(train=30, val=6, width=320, height=192, seed=3)


def silent(line: str) -> None:
    pass


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('synthetic') / 'traffic'
    assert prepare(out, RECIPE, progress=silent)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def test_categories_have_what_mmdetections_error_analysis_asks_for(folder: Path) -> None:
    """It takes the categories of a supercategory together: here each is its own."""
    for split in ('train', 'val'):
        coco = COCO(folder / 'annotations' / f'{split}.json')
        for category in coco.loadCats(coco.getCatIds()):
            assert coco.getCatIds(supNms=[category['supercategory']]) == [category['id']]


def test_pycocotools_reads_it(folder: Path) -> None:
    for split, count in (('train', 30), ('val', 6)):
        coco = COCO(str(folder / 'annotations' / f'{split}.json'))
        assert [cat['name'] for cat in coco.loadCats(sorted(coco.getCatIds()))] == list(CLASSES)
        assert coco.getCatIds() == list(range(1, 9))
        assert len(coco.getImgIds()) == count
        for image in coco.loadImgs(coco.getImgIds()):
            pixels = cv2.imread(str(folder / split / image['file_name']))
            assert pixels.shape == (image['height'], image['width'], 3)
        for box in coco.loadAnns(coco.getAnnIds()):
            x, y, w, h = box['bbox']
            assert x >= 0 and y >= 0 and x + w <= 320.01 and y + h <= 192.01
            assert min(w, h) >= coco_export.MIN_SIDE
            assert box['area'] == pytest.approx(w * h, abs=0.01)


def test_mmdet_reads_it(folder: Path) -> None:
    dataset = DATASETS.build(
        dict(
            type='CocoDataset',
            data_root=str(folder),
            ann_file='annotations/train.json',
            data_prefix=dict(img='train/'),
            metainfo=dict(classes=CLASSES),
            filter_cfg=dict(filter_empty_gt=False),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='PackDetInputs'),
            ],
        )
    )
    assert len(dataset) == 30
    labels = [set(sample['data_samples'].gt_instances.labels.tolist()) for sample in dataset]
    assert set().union(*labels) == set(range(8))
    small = {CLASSES.index(name) for name in SMALL_CLASSES}
    assert any(not found for found in labels), 'some image is empty'
    assert any(found and not found & small for found in labels), 'some has no small object'


def test_the_splits_show_different_streets(folder: Path) -> None:
    frames = {
        split: np.stack([cv2.imread(str(path)) for path in sorted((folder / split).iterdir())[:6]])
        for split in ('train', 'val')
    }
    change = np.abs(frames['train'][:, None].astype(int) - frames['val'][None]).mean((2, 3, 4))
    assert change.min() > 10


def test_equal_recipes_give_equal_files(folder: Path, tmp_path: Path) -> None:
    prepare(tmp_path / 'again', RECIPE, progress=silent)
    assert contents(tmp_path / 'again') == contents(folder)


def test_a_missing_image_makes_it_incomplete(tmp_path: Path) -> None:
    recipe = Recipe(train=2, val=1, width=96, height=64)
    out = tmp_path / 'set'
    prepare(out, recipe, progress=silent)
    assert is_complete(out, recipe)
    (out / 'train' / '000001.jpg').unlink()
    assert not is_complete(out, recipe)
    with pytest.raises(UserError, match='--overwrite'):
        prepare(out, recipe, progress=silent)
    assert prepare(out, recipe, overwrite=True, progress=silent)
    assert is_complete(out, recipe)


def test_a_new_generator_version_is_another_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(train=1, val=1, width=96, height=64)
    prepare(tmp_path / 'set', recipe, progress=silent)
    monkeypatch.setattr(coco_export, 'VERSION', '0.1')
    assert not is_complete(tmp_path / 'set', recipe)


def test_foreign_files_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / 'thesis.tex').write_text('precious')
    (tmp_path / 'annotations').mkdir()
    foreign = json.dumps(dict(info=dict(description='COCO 2017')))
    (tmp_path / 'annotations' / 'train.json').write_text(foreign)
    with pytest.raises(UserError, match='not a synthetic data set'):
        prepare(tmp_path, Recipe(train=1, val=1), overwrite=True, progress=silent)
    assert (tmp_path / 'thesis.tex').read_text() == 'precious'


def test_a_failure_while_drawing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(folder: Path, split: str, recipe: Recipe) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(coco_export, 'write_split', full_disk)
    with pytest.raises(UserError, match='No space left'):
        prepare(tmp_path / 'set', Recipe(train=1, val=1), progress=silent)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (dict(val=0), '--val 0'),
        (dict(width=10), '--size 10x384: both sides must be 64 to 4096'),
        (dict(height=5000), '--size 640x5000'),
        (dict(seed=-1), '--seed -1'),
    ],
)
def test_a_recipe_for_nothing_is_refused(arguments: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Recipe(**arguments)


def test_a_place_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot write'):
        prepare(tmp_path / 'file' / 'set', Recipe(train=1, val=1), progress=silent)


def test_the_config_names_the_generators_classes() -> None:
    config = Config.fromfile(ROOT / 'configs' / '_base_' / 'datasets' / 'synthetic_traffic.py')
    assert tuple(config.classes) == CLASSES
    assert tuple(config.small_classes) == SMALL_CLASSES
