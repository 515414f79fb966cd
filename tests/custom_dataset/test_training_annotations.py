"""Mistakes in annotation files are named before MMDetection stumbles over them."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config

from abc_mmdet.custom_dataset import check_annotation_files, read_whole
from abc_mmdet.errors import UserError

from .conftest import NAMES, change, content, draw


@pytest.mark.parametrize(
    ('mistake', 'message'),
    [
        (lambda c: c['images'][1].pop('file_name'), r'images\[1\] \(id 1\): no file_name'),
        (lambda c: c['annotations'][2].pop('area'), r'annotations\[2\] \(id 2\): no area'),
        (lambda c: c['annotations'][0].update(bbox=[1, 2, 3]), r'annotations\[0\] .*bbox \[1, 2'),
        (lambda c: c['categories'][0].update(id=None), r'categories\[0\] .*id None'),
        (lambda c: c['images'][1].update(id=0), r'image ids that are given more than once'),
        (lambda c: c['annotations'][1].update(id=0), 'annotation ids that are given'),
        (lambda c: c['categories'][1].update(id=1), 'category ids that are given'),
        (lambda c: c['categories'][1].update(name='car'), 'category names that are given'),
    ],
)
def test_mistakes_are_named(mistake, message: str, tmp_path: Path) -> None:
    entries = content()
    mistake(entries)
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(entries))
    with pytest.raises(UserError, match=rf'(?s)a\.json is not ready for use.*{message}'):
        read_whole(str(path))


def test_files_of_all_parts_of_a_config(data: Path) -> None:
    def dataset(split: str) -> dict:
        return dict(
            type='CocoDataset',
            data_root=str(data),
            ann_file=f'{split}.json',
            data_prefix=dict(img='images/'),
            metainfo=dict(classes=NAMES),
        )

    config = Config(
        dict(
            train_dataloader=dict(dataset=dict(type='RepeatDataset', dataset=dataset('train'))),
            val_dataloader=dict(dataset=dataset('val')),
            val_evaluator=[dict(type='CocoMetric', ann_file=str(data / 'other.json'))],
            test_dataloader=None,
        )
    )
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    with pytest.raises(UserError, match=r'no annotation file .*other\.json'):
        check_annotation_files(config, *loaders)
    (data / 'other.json').write_text(json.dumps(content(first=10)))
    check_annotation_files(config, *loaders)
    for name in ('other', 'val', 'train'):  # the last one is looked at first
        change(data / f'{name}.json', lambda c: c['annotations'][0].pop('bbox'))
        with pytest.raises(UserError, match=rf'{name}\.json is not ready'):
            check_annotation_files(config, *loaders)


def test_evaluator_with_the_file_of_other_images(data: Path) -> None:
    """Found before the first iteration, not at the first validation."""

    def dataset(split: str, **more: object) -> dict:
        return dict(
            type='CocoDataset',
            data_root=str(data),
            ann_file=f'{split}.json',
            data_prefix=dict(img='images/'),
            metainfo=dict(classes=NAMES),
            **more,
        )

    def check(evaluator: str, *datasets: dict) -> None:
        joined = dict(type='ConcatDataset', datasets=list(datasets))
        config = Config(
            dict(
                val_dataloader=dict(dataset=joined if len(datasets) > 1 else datasets[0]),
                val_evaluator=dict(type='SmallObjectMetric', ann_file=str(data / evaluator)),
            )
        )
        check_annotation_files(config, 'val_dataloader')

    with pytest.raises(UserError, match=r'val\.json, the ann_file .*has no image 0, which is im'):
        check('val.json', dataset('train'))
    (data / 'again.json').write_text(json.dumps(content(first=0, prefix='other')))
    draw(data / 'images', content(first=0, prefix='other'))
    with pytest.raises(UserError, match=r'other0\.png .* but image0\.png'):
        check('again.json', dataset('train'))
    with pytest.raises(UserError, match=r'both have an image with id 0.*Leave out val_evaluator'):
        check('train.json', dataset('train'), dataset('again'))
    check('train.json', dataset('train', indices=2))
    merged = [json.loads((data / f'{split}.json').read_text()) for split in ('train', 'val')]
    merged[0]['images'] += merged[1]['images']
    (data / 'merged.json').write_text(json.dumps(merged[0]))
    check('merged.json', dataset('train'), dataset('val'))


def test_boxes_that_are_corners_stop_a_training(data: Path) -> None:
    """Only their second pair is outside where a box of x, y, width, height would be."""

    def as_corners(entries: dict) -> None:
        for annotation in entries['annotations']:
            x, y, w, h = annotation['bbox']
            annotation['bbox'] = [x, y, x + w, y + h]

    change(data / 'train.json', as_corners)
    dataset = dict(
        type='CocoDataset',
        data_root=str(data),
        ann_file='train.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=NAMES),
    )
    config = Config(dict(train_dataloader=dict(dataset=dataset)))
    with pytest.raises(UserError, match=r'(?s)is not ready.*12 boxes are two corners'):
        check_annotation_files(config, 'train_dataloader')


def test_a_single_class_without_its_comma(data: Path) -> None:
    dataset = dict(type='CocoDataset', data_root=str(data), ann_file='train.json')
    (data / 'names.txt').write_text('\n'.join(NAMES))
    for classes in ('car', str(data / 'nowhere.txt')):
        wrong = dict(dataset, metainfo=dict(classes=classes))
        config = Config(dict(train_dataloader=dict(dataset=wrong)))
        with pytest.raises(UserError, match=r"classes='.*' is text, and no file"):
            check_annotation_files(config, 'train_dataloader')
    of_file = dict(
        dataset,
        metainfo=dict(classes=str(data / 'names.txt')),
        data_prefix=dict(img='images/'),
    )
    config = Config(dict(train_dataloader=dict(dataset=of_file)))
    assert check_annotation_files(config, 'train_dataloader') == []
