import math

import pytest
import torch
from mmengine.structures import InstanceData

from abc_mmdet.errors import UserError
from abc_mmdet.models.small_classes import SmallClasses, refuse_ids, select_instances, small_sample
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes

ETRAM = ('pedestrian', 'car', 'bicycle', 'bus', 'motorbike', 'truck', 'tram', 'wheelchair')


def test_names_are_resolved_in_the_order_given() -> None:
    small = SmallClasses(ETRAM, ('motorbike', 'pedestrian'))
    assert small.ids == (4, 0)
    assert small.label_table().tolist() == [1, -1, -1, -1, 0, -1, -1, -1]


def test_ids_are_refused_with_the_names_they_would_mean() -> None:
    with pytest.raises(UserError, match=r"\['bicycle', 'bus', 'motorbike'\]"):
        refuse_ids(ETRAM, [2, 3, 4])
    with pytest.raises(UserError, match='no such class'):
        refuse_ids(ETRAM, ['car', 8])


@pytest.mark.parametrize(
    ('classes', 'small', 'message'),
    [
        (ETRAM, ('pedestrian', 'scooter'), r"\['scooter'\], which the data set does not have"),
        (ETRAM, ('car', 'car'), r"small_classes names \['car'\] more than once"),
        (('car', 'car'), ('car',), r"classes names \['car'\] more than once"),
        (ETRAM, (), 'small_classes is empty'),
        (ETRAM, 'car', 'one string'),
        (ETRAM, (1.5,), 'class names are strings'),
    ],
)
def test_wrong_names_are_refused(classes: tuple, small: tuple, message: str) -> None:
    with pytest.raises(UserError, match=message):
        SmallClasses(classes, small)


def test_unknown_name_shows_both_lists() -> None:
    with pytest.raises(UserError) as error:
        SmallClasses(ETRAM, ('scooter',))
    assert "['scooter']" in str(error.value)
    assert str(list(ETRAM)) in str(error.value)


def test_selection_relabels_and_leaves_the_original_alone(samples) -> None:
    instances = samples([0, 1, 4, 4, 3])[0].gt_instances
    before = instances.clone()
    selected = select_instances(
        instances, SmallClasses(ETRAM, ('motorbike', 'pedestrian')).label_table()
    )
    assert selected.labels.tolist() == [1, 0, 0]
    assert torch.equal(selected.bboxes, before.bboxes[[0, 2, 3]])
    assert torch.equal(instances.labels, before.labels)
    assert torch.equal(instances.bboxes, before.bboxes)


def test_selection_of_nothing(samples) -> None:
    table = SmallClasses(ETRAM, ('tram',)).label_table()
    for labels in ([], [0, 1]):
        selected = select_instances(samples(labels)[0].gt_instances, table)
        assert selected.labels.shape == (0,)
        assert selected.bboxes.shape == (0, 4)


def test_all_classes_by_one_word_or_by_size_alone() -> None:
    for small in (SmallClasses(ETRAM, 'all'), SmallClasses(ETRAM, (), max_area=100)):
        assert small.names == ETRAM
        assert small.label_table().tolist() == list(range(len(ETRAM)))
    assert SmallClasses(ETRAM, 'all').max_area == math.inf
    assert SmallClasses(ETRAM, ('tram',), max_area=100).names == ('tram',)


@pytest.mark.parametrize('max_area', [0, -4.0, math.nan])
def test_impossible_sizes_are_refused(max_area: float) -> None:
    with pytest.raises(UserError, match='positive area'):
        SmallClasses(ETRAM, 'all', max_area)


@pytest.mark.parametrize('boxes', [torch.as_tensor, HorizontalBoxes])
def test_selection_by_size_ignores_what_is_too_large(boxes) -> None:
    sides = [(4, 4), (8, 8), (8, 8.5), (30, 30), (2, 32)]  # areas 16, 64, 68, 900, 64
    labels = torch.tensor([0, 4, 4, 1, 0])
    corners = torch.tensor([[5.0, 6.0, 5.0 + w, 6.0 + h] for w, h in sides])
    sample = DetDataSample(metainfo=dict(img_shape=(64, 64)))
    sample.gt_instances = InstanceData(bboxes=boxes(corners), labels=labels)
    crowd = torch.tensor([[40.0, 40.0, 50.0, 50.0]])
    sample.ignored_instances = InstanceData(bboxes=boxes(crowd), labels=torch.tensor([0]))
    small = SmallClasses(ETRAM, ('motorbike', 'pedestrian'), max_area=64)
    chosen = small_sample(sample, small.label_table(), small.max_area)
    assert chosen.img_shape == (64, 64)
    assert chosen.gt_instances.labels.tolist() == [1, 0, 1]
    assert torch.equal(torch.as_tensor(chosen.gt_instances.bboxes.numpy()), corners[[0, 1, 4]])
    # the motorbike of 68 px², not the car: to the auxiliary task a car is background at any size
    assert torch.equal(chosen.ignored_instances.bboxes, torch.cat([corners[[2]], crowd]))
    assert len(sample.gt_instances) == 5
    assert len(sample.ignored_instances) == 1
