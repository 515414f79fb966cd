"""Data of other classes, and data without a box, stop a run."""

import json
from types import SimpleNamespace

import pytest
from mmengine.dataset import BaseDataset, ConcatDataset
from torch import nn

from abc_mmdet.engine import KeptBoxesHook
from abc_mmdet.engine.hooks.data_check_hooks import (
    check_annotation_file,
    check_model,
    check_same_numbers,
    check_transforms,
)
from abc_mmdet.errors import UserError
from abc_mmdet.utils.wrapped import leaves
from mmdet.datasets import CocoDataset, MultiImageMixDataset, Objects365V1Dataset
from mmdet.registry import MODELS

HEAD = dict(
    type='ABCHead',
    main_head=dict(type='YOLOXHead', in_channels=4, feat_channels=4, strides=(8, 16)),
    classes=('car', 'person'),
)


def model_with(head: dict) -> nn.Module:
    model = nn.Module()
    model.bbox_head = MODELS.build(head)
    wrapper = nn.Module()
    wrapper.module = model  # as in test-time augmentation and distributed training
    return wrapper


def coco_dataset(tmp_path, in_file: list[str], classes: tuple[str, ...]) -> CocoDataset:
    content = dict(
        images=[dict(id=1, file_name='a.png', width=64, height=64)],
        annotations=[],
        categories=[dict(id=i, name=name) for i, name in enumerate(in_file, 1)],
    )
    (tmp_path / 'train.json').write_text(json.dumps(content))
    return CocoDataset(
        data_root=str(tmp_path),
        ann_file='train.json',
        data_prefix=dict(img=''),
        metainfo=dict(classes=classes),
        pipeline=[],
    )


def test_equal_names_pass() -> None:
    check_model(model_with(HEAD), ('car', 'person'), 'train_dataloader')


@pytest.mark.parametrize('names', [('person', 'car'), ('car',), ('car', 'person', 'bus')])
def test_other_names_or_order_stop_with_both_lists(names: tuple) -> None:
    with pytest.raises(UserError) as error:
        check_model(model_with(HEAD), names, 'train_dataloader')
    assert str(['car', 'person']) in str(error.value)
    assert str(list(names)) in str(error.value)


def test_a_class_has_one_number_in_training_and_validation() -> None:
    check_same_numbers(('car', 'person'), ('car', 'person'), 'val_dataloader')
    check_same_numbers(('person',), ('pedestrian',), 'val_dataloader')  # of another data set
    check_same_numbers((), ('person', 'car'), 'test_dataloader')  # nothing was trained
    for names in (('person', 'car'), ('bus', 'car')):
        with pytest.raises(UserError, match=r'val_dataloader\.dataset') as error:
            check_same_numbers(('car', 'person'), names, 'val_dataloader')
        assert str(['car', 'person']) in str(error.value) and str(list(names)) in str(error.value)


def test_plain_head_is_checked_by_number() -> None:
    model = model_with(dict(HEAD['main_head'], num_classes=80))
    with pytest.raises(UserError, match=r'num_classes=80, but val_dataloader\.dataset has 2'):
        check_model(model, ('car', 'person'), 'val_dataloader')


def test_annotation_file_in_the_same_order_passes(tmp_path) -> None:
    check_annotation_file(coco_dataset(tmp_path, ['car', 'bus', 'person'], ('car', 'person')))


@pytest.mark.parametrize(
    ('in_file', 'classes'),
    [(['person', 'car'], ('car', 'person')), (['car'], ('car', 'person'))],
)
def test_annotation_file_that_would_shift_labels_stops(tmp_path, in_file, classes) -> None:
    dataset = coco_dataset(tmp_path, in_file, classes)
    with pytest.raises(UserError, match='order of the file') as error:
        check_annotation_file(dataset)
    assert str(in_file) in str(error.value)
    assert str(list(classes)) in str(error.value)


def test_transforms_with_other_names_stop(tmp_path) -> None:
    inner = coco_dataset(tmp_path, ['car', 'person'], ('car', 'person'))
    paste = dict(type='SmallObjectCopyPaste', small_classes=('person',), classes=('car', 'person'))
    mixed = MultiImageMixDataset(inner, [paste])
    check_transforms(mixed, ('car', 'person'), 'train_dataloader')
    with pytest.raises(UserError, match='SmallObjectCopyPaste in train_dataloader'):
        check_transforms(mixed, ('person', 'car'), 'train_dataloader')
    assert leaves(mixed) == [inner]


def test_data_set_that_sorts_its_categories(tmp_path) -> None:
    """Objects365 v1 numbers classes by id, whatever their order in the file."""
    coco_dataset(tmp_path, ['car', 'person'], ('car', 'person'))
    content = json.loads((tmp_path / 'train.json').read_text())
    content['categories'].reverse()
    (tmp_path / 'train.json').write_text(json.dumps(content))
    options = dict(data_root=str(tmp_path), ann_file='train.json', data_prefix=dict(img=''))
    for classes, is_right in ((('car', 'person'), True), (('person', 'car'), False)):
        dataset = Objects365V1Dataset(
            **options, metainfo=dict(classes=classes), pipeline=[], lazy_init=True
        )
        if is_right:
            check_annotation_file(dataset)
        else:
            with pytest.raises(UserError, match='do not match'):
                check_annotation_file(dataset)


class Images(BaseDataset):
    """Images whose boxes are given, in no format at all."""

    def __init__(self, *instances: list | None) -> None:
        self.given = instances
        super().__init__()

    def load_data_list(self) -> list[dict]:
        return [{} if i is None else dict(instances=i) for i in self.given]


def train(*datasets: BaseDataset) -> None:
    dataset = ConcatDataset(list(datasets)) if len(datasets) > 1 else datasets[0]
    KeptBoxesHook().before_train(SimpleNamespace(train_dataloader=SimpleNamespace(dataset=dataset)))


def test_only_data_without_any_box_stops() -> None:
    box, crowd = dict(bbox=[0, 0, 9, 9], ignore_flag=0), dict(bbox=[0, 0, 9, 9], ignore_flag=1)
    train(Images([], [crowd, box]))
    train(Images([crowd]), Images([], [box]))  # as in semi-supervised training
    train(Images(None))  # another kind of data: nothing is known about it
    for nothing in (Images([], [crowd]), Images([])):
        with pytest.raises(UserError, match=r'Images, \d samples.*no image keeps a box'):
            train(nothing)
