import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.checkpoints.class_matching import SYNONYMS, match_classes
from abc_mmdet.errors import UserError
from mmdet.datasets import CocoDataset

COCO = CocoDataset.METAINFO['classes']


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('person', 'person'),
        ('Person', 'person'),
        ('persons', 'person'),
        ('Pedestrian', 'person'),
        ('people', 'person'),
        ('Vehicle', 'car'),
        ('vehicles', 'car'),
        ('van', 'car'),
        ('Bicycles', 'bicycle'),
        ('bike', 'bicycle'),
        ('motorbike', 'motorcycle'),
        ('Motor', 'motorcycle'),
        ('lorries', 'truck'),
        ('bus', 'bus'),
        ('buses', 'bus'),
        ('tram', 'train'),
        ('traffic_light', 'traffic light'),
        ('Traffic-Lights', 'traffic light'),
        ('knives', None),  # no rule for it: rather none than a wrong one
        ('glasses', None),
        ('mousebite', None),
        ('drone', None),
        ('', None),
    ],
)
def test_names_of_coco(name: str, expected: str | None) -> None:
    assert match_classes([name], COCO) == {name: expected}


@given(st.permutations(COCO))
def test_order_of_the_lists_does_not_matter(names: list[str]) -> None:
    assert match_classes(names, COCO) == {name: name for name in names}
    assert match_classes(COCO, names) == {name: name for name in COCO}


def test_the_same_name_goes_before_a_synonym() -> None:
    assert match_classes(['van', 'car'], ['car', 'van']) == {'van': 'van', 'car': 'car'}
    assert match_classes(['pedestrian'], ['people', 'Pedestrian']) == {'pedestrian': 'Pedestrian'}


def test_synonyms_hold_in_both_directions() -> None:
    assert match_classes(['person'], ['car', 'pedestrian']) == {'person': 'pedestrian'}


def test_no_name_has_two_meanings() -> None:
    names = [name for group in SYNONYMS for name in group]
    assert len(set(names)) == len(names)
    assert {group[0] for group in SYNONYMS} <= set(COCO)


def test_class_map_goes_first() -> None:
    matched = match_classes(['drone', 'person'], COCO, dict(drone='kite', person=None))
    assert matched == {'drone': 'kite', 'person': None}


def test_wrong_names_of_class_map_are_refused() -> None:
    with pytest.raises(UserError, match=r"class_map names 'Drone'.*\['drone'\]"):
        match_classes(['drone'], COCO, dict(Drone='kite'))
    with pytest.raises(UserError, match="'drone' the class 'kites'"):
        match_classes(['drone'], COCO, dict(drone='kites'))
