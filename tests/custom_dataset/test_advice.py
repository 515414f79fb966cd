"""What is advised, from figures alone."""

import numpy as np

from abc_mmdet.custom_dataset import CocoFile, DatasetCheck, advise
from abc_mmdet.custom_dataset.advice import percent
from abc_mmdet.custom_dataset.box_sizes import BoxSizes
from abc_mmdet.custom_dataset.network_input import NetworkInput
from abc_mmdet.custom_dataset.splits import CocoSplit

RESIZE = [dict(type='Resize', scale=(64, 64), keep_ratio=True)]


def split(
    loader: str, sides: dict[str, list[float]], enlarged: float = 1.0, **filters
) -> CocoSplit:
    """A split of 100 x 80 pixel images with boxes of these sizes at network resolution."""
    size = np.array([side for of in sides.values() for side in of])
    label = np.repeat(np.arange(len(sides)), [len(of) for of in sides.values()])
    sizes = BoxSizes(tuple(sides), label, size, size * enlarged)
    images = [dict(id=0, file_name='0.jpg', width=100, height=80)]
    file = CocoFile(f'{loader}.json', images, [], [], [])
    field, shapes = f'{loader}_dataloader.dataset', NetworkInput(RESIZE)
    return CocoSplit([field], (), tuple(sides), sizes, True, [], file, '', shapes, filters)


def advice(*splits: CocoSplit, strides=(8, 16, 32), extra=(), small=(), is_pretrained=False) -> str:
    dataset_check = DatasetCheck(
        'a.py', list(splits), NetworkInput(RESIZE), list(strides), list(extra), small
    )
    dataset_check.is_pretrained = is_pretrained
    return '\n'.join(advise(dataset_check))


def test_percent() -> None:
    assert [percent(x) for x in (0, 0.0004, 0.004, 0.37, 1)] == [
        *('0 %', '< 0.1 %', '0.4 %'),
        *('37 %', '100 %'),
    ]


def test_nothing_to_say() -> None:
    ok = {'car': [40.0] * 60}
    assert advice(split('train', ok), split('val', ok)) == ''


def test_boxes_below_the_finest_level() -> None:
    train = split('train', {'car': [6.0] * 37 + [40.0] * 63}, enlarged=2.0)
    assert advice(train) == (
        '37 % of the boxes are under 8 px, one cell of the finest level, at this input size: raise '
        'it (the images have 2.0 times as many pixels each way) or train with a stride-4 level '
        '(configs/frames/finer_levels_100k.py).'
    )
    assert 'keep the level of stride 4 at inference as well' in advice(train, extra=[4])
    assert advice(train, strides=(4, 8)) == ''
    assert advice(train, strides=()) == ''
    full = split('train', {'car': [6.0] * 37 + [40.0] * 63})
    assert 'the images have no more pixels, so train and test on slices' in advice(full)


def test_boxes_below_two_cells() -> None:
    train = split('train', {'car': [12.0] * 37 + [40.0] * 63})
    assert '37 % of the boxes are under 16 px, two cells' in advice(train)
    assert advice(train, extra=[4]) == advice(train, strides=(4, 8)) == ''


def test_pretrained_weights_keep_their_levels() -> None:
    for side, begins in ((12.0, '37 % of the boxes are under 16 px, two cells'), (6.0, '37 %')):
        train = split('train', {'car': [side] * 37 + [40.0] * 63}, enlarged=2.0)
        text = advice(train, is_pretrained=True)
        assert text.startswith(begins) and 'raise it' in text
        assert 'Finer levels are no remedy here' in text and 'finer_levels' not in text
        assert 'Strides 8 and 16 alone keep it' in text
    train = split('train', {'car': [12.0] * 37 + [140.0] * 63}, enlarged=2.0)
    assert 'Strides 8 and 16' not in advice(train, is_pretrained=True), 'large boxes need 32'


def test_boxes_that_are_hardly_there() -> None:
    assert advice(split('train', {'car': [4.0] * 3 + [40.0] * 97})).startswith(
        '3 % of the boxes are under 5 px at this input size'
    )


def test_small_classes_that_are_not() -> None:
    train = split('train', {'car': [60.0] * 60, 'person': [20.0] * 60, 'bike': [10.0] * 60})
    assert advice(train, extra=[4], small=('person', 'bike')) == ''
    wrong = advice(train, extra=[4], small=('car', 'person'))
    assert "'car' is among small_classes, but half of its boxes are over 60 px" in wrong
    assert "'bike' is not among small_classes, but smaller than most" in wrong
    assert advice(train, extra=[4], small=('car', 'person', 'bike')) == ''


def test_few_boxes() -> None:
    train = split('train', {'car': [40.0] * 60, 'van': [40.0] * 7})
    val = split('val', {'car': [40.0] * 60, 'van': [40.0] * 3})
    text = advice(train, val)
    assert "'van' has only 7 boxes to learn from" in text
    assert "val: the AP of classes with so few boxes is chance: 'van' (3)." in text
    assert "'car'" not in text


def test_splits_of_different_sizes() -> None:
    train, val = split('train', {'car': [80.0] * 60}), split('val', {'car': [40.0] * 60})
    assert 'val: half of the boxes are under 40 px, in training under 80 px.' in advice(train, val)


def test_what_a_filter_leaves_out() -> None:
    train = split('train', {'car': [40.0] * 60}, filter_empty_gt=True, min_size=90)
    text = advice(train)
    assert 'leaves out 1 images with a side below 90 px' in text
    assert 'leaves out 1 images without boxes' in text
