import json
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config

import mmdet
from abc_mmdet.apis import load_experiment
from abc_mmdet.custom_dataset import as_dict, as_text, check_dataset
from abc_mmdet.errors import UserError

from .conftest import NAMES, change

ROOT = Path(__file__).parents[2]
TEST_PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(48, 32), keep_ratio=True),
    dict(type='PackDetInputs'),
]
RETINANET = dict(
    type='RetinaNet',
    backbone=dict(type='ResNet', depth=18, num_stages=4, out_indices=(0, 1, 2, 3)),
    neck=dict(type='FPN', in_channels=[64, 128, 256, 512], out_channels=8, num_outs=5),
    bbox_head=dict(type='RetinaHead', num_classes=3, in_channels=8, feat_channels=8),
)
RETINANET['bbox_head']['anchor_generator'] = dict(  # type: ignore[index]
    type='AnchorGenerator',
    octave_base_scale=4,
    scales_per_octave=3,
    ratios=[0.5, 1.0, 2.0],
    strides=[8, 16, 32, 64, 128],
)


def leaf(data: Path, split: str, **more: object) -> dict:
    return dict(
        type='CocoDataset',
        data_root=str(data),
        ann_file=f'{split}.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=NAMES),
        pipeline=TEST_PIPELINE,
        **more,
    )


def plain(data: Path, train: dict | None = None, **more: object) -> Config:
    """A config as MMDetection's own, without anything of this package."""
    val = dict(dataset=leaf(data, 'val', test_mode=True))
    loaders = dict(
        train_dataloader=dict(dataset=train or leaf(data, 'train')),
        val_dataloader=val,
        test_dataloader=val,
    )
    return Config({**loaders, 'model': RETINANET, **more})


def test_data_in_order(data: Path) -> None:
    dataset_check = check_dataset(plain(data))
    assert dataset_check.issues == []
    assert dataset_check.is_fine(strict=True)
    assert dataset_check.strides == [8, 16, 32, 64, 128]
    assert [split.title for split in dataset_check.splits] == ['train', 'val, test']
    report = as_dict(dataset_check)
    assert json.loads(json.dumps(report)) == report
    train = report['splits'][0]
    assert (train['images'], train['boxes'], train['empty_images']) == (4, 12, 0)
    assert train['input_sizes'] == [[48, 32]]
    # Half the size of the files
    sizes = {c['name']: (c['boxes'], c['median_size']) for c in train['classes']}
    assert sizes == {'car': (4, 20), 'van': (4, 15), 'person': (4, 3)}
    assert train['share_below'] == {
        **{'5.0': 1 / 3, '8': 1 / 3},
        **{'16': 2 / 3, '32': 1.0, '64': 1.0, '128': 1.0},
    }
    assert train['histogram']['counts'] == [4, 0, 0, 4, 4, *[0] * 7]
    text = as_text(dataset_check)
    assert 'levels of the model: strides 8, 16, 32, 64, 128' in text
    assert text.endswith('0 problems, 0 warnings')
    assert '33 % of the boxes are under 8 px' in text
    assert (
        'raise it (the images have 2.0 times as many pixels each way) or train with a stride-4'
        in (text)
    )


def test_everything_wrong_at_once_in_wrapped_data_sets(data: Path) -> None:
    shutil.copy(data / 'train.json', data / 'more.json')

    def spoil(entries: dict) -> None:
        entries['annotations'][0]['bbox'][2] = 0
        entries['annotations'][1]['bbox'] = [500, 500, 4, 4]
        entries['images'].append(dict(id=77, file_name='gone.png', width=96, height=64))

    change(data / 'train.json', spoil)
    change(data / 'val.json', lambda entries: entries['categories'].reverse())
    (data / 'images' / 'image2.png').write_bytes(b'no image')
    shutil.copy(data / 'images' / 'image1.png', data / 'images' / 'image12.png')
    wrapped = dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(
            type='ConcatDataset',
            datasets=[
                dict(type='ClassBalancedDataset', oversample_thr=0.1, dataset=leaf(data, 'train')),
                leaf(data, 'more'),
            ],
        ),
    )
    model = RETINANET | dict(bbox_head=RETINANET['bbox_head'] | dict(num_classes=80))  # type: ignore[operator]
    dataset_check = check_dataset(plain(data, wrapped, model=model))
    assert [split.title for split in dataset_check.splits] == ['train', 'train', 'val, test']
    found = {(issue.kind, Path(issue.where).name) for issue in dataset_check.issues}
    assert found == {
        ('zero_area', 'train.json'),
        ('outside_image', 'train.json'),
        ('empty_images', 'train.json'),
        ('missing_files', 'images'),
        ('unreadable_files', 'images'),
        ('class_order', 'val_dataloader.dataset.metainfo.classes'),
        ('model_classes', 'train_dataloader and model'),
        ('model_classes', 'val_dataloader and model'),
        ('shared_images', ' val, test'),
    }
    assert not dataset_check.is_fine()
    text = as_text(dataset_check)
    assert 'num_classes=80' in text
    assert 'image12.png = ' in text
    assert as_dict(dataset_check)['problems'] == dataset_check.number_of('problem') == 11


def test_warnings_count_when_strict(data: Path) -> None:
    change(data / 'train.json', lambda e: e['annotations'][0].update(bbox=[90, 1, 40, 40]))
    dataset_check = check_dataset(plain(data), decode=False)
    assert [issue.kind for issue in dataset_check.issues] == ['across_border']
    assert dataset_check.is_fine()
    assert not dataset_check.is_fine(strict=True)


def test_config_of_ours(data: Path, monkeypatch) -> None:
    monkeypatch.setenv('ABC_ABLATION_VARIANT', 'aux_p1_p2')
    config = load_experiment(
        str(ROOT / 'configs/ablation_coco/variants.py'),
        dict(classes=NAMES, small_classes=('van', 'person')),
    )
    for loader, split in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = config[f'{loader}_dataloader'].dataset
        dataset.update(data_root=str(data), ann_file=f'{split}.json')
    dataset_check = check_dataset(config)
    assert dataset_check.is_fine()
    assert (dataset_check.strides, dataset_check.train_only_strides) == ([8, 16, 32], [4])
    assert dataset_check.small_classes == ('van', 'person')
    text = as_text(dataset_check)
    # 96 x 64 on 512 x 416: five times as large
    assert 'network input 512x341' in text
    assert "'van' is among small_classes, but half of its boxes are over 160 px" in text
    config.model.bbox_head.classes = ('van', 'car', 'person')
    kinds = {issue.kind for issue in check_dataset(config, decode=False).issues}
    assert kinds == {'model_classes'}


def test_config_of_mmdetection(data: Path) -> None:
    path = Path(mmdet.__file__).parent / '.mim/configs/yolox/yolox_tiny_8xb8-300e_coco.py'
    if not path.is_file():
        pytest.skip('this MMDetection was installed without its configs')
    leaf = dict(data_root=str(data), data_prefix=dict(img='images/'))
    options = {
        'train_dataloader.dataset.dataset': dict(leaf, ann_file='train.json'),
        **{
            f'{loader}_dataloader.dataset': dict(leaf, ann_file='val.json')
            for loader in ('val', 'test')
        },
    }
    config = load_experiment(str(path), options)
    assert config.train_dataloader.dataset.type == 'MultiImageMixDataset'
    dataset_check = check_dataset(config)
    assert [split.title for split in dataset_check.splits] == ['train', 'val, test']
    kinds = {issue.kind: issue for issue in dataset_check.issues}
    # It has the classes of COCO, of which car and person are there, in another order
    assert set(kinds) == {'unknown_classes', 'class_order', 'unused_categories'}
    assert kinds['unknown_classes'].count == 78
    assert kinds['unused_categories'].examples == ['van (4 boxes)']
    assert dataset_check.splits[0].sizes.classes[:3] == ('person', 'bicycle', 'car')
    assert dataset_check.strides == [8, 16, 32]
    assert 'network input 416x416' in as_text(dataset_check)


def test_a_model_that_cannot_be_built_does_not_stop_the_checks(data: Path) -> None:
    dataset_check = check_dataset(plain(data, model=dict(type='NoSuchDetector')), decode=False)
    assert [issue.kind for issue in dataset_check.issues] == ['model_not_built']
    assert 'NoSuchDetector' in dataset_check.issues[0].message
    assert 'share of boxes below 5 px: 33 %' in as_text(dataset_check)


def test_what_cannot_be_checked(data: Path) -> None:
    with pytest.raises(UserError, match='no data loader'):
        check_dataset(Config(dict(model=RETINANET)))
    with pytest.raises(UserError, match=r'gone\.json does not exist'):
        check_dataset(plain(data, leaf(data, 'gone')))
    other = dict(type='VOCDataset', data_root=str(data), data_prefix={})
    with pytest.raises(UserError, match=r'no data set in COCO format or of .*VOCDataset'):
        check_dataset(Config(dict(train_dataloader=dict(dataset=other))))
    with pytest.raises(UserError, match='there is no data set Nowhere'):
        check_dataset(Config(dict(train_dataloader=dict(dataset=dict(type='Nowhere')))))
    (data / 'train.json').write_text('{')
    with pytest.raises(UserError, match='not JSON'):
        check_dataset(plain(data))


def test_other_data_sets_are_passed_over(data: Path) -> None:
    other = dict(type='VOCDataset', data_root=str(data), data_prefix={}, ann_file='train.json')
    dataset_check = check_dataset(
        plain(data, dict(type='ConcatDataset', datasets=[other, leaf(data, 'train')])), decode=False
    )
    assert [issue.kind for issue in dataset_check.issues] == ['not_checked']
    assert len(dataset_check.splits) == 2
