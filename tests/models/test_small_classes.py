import pytest
import torch

from abc_mmdet.errors import UserError
from abc_mmdet.models.small_classes import SmallClasses, refuse_ids, select_instances

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
