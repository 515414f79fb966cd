from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abc_mmdet.custom_dataset.class_checks import boxes_per_category, check_classes
from mmdet.datasets import CocoDataset

from .conftest import NAMES, content


def kinds(file, classes) -> dict:
    return {issue.kind: issue for issue in check_classes(file, classes, 'here')}


def test_names_in_order(coco) -> None:
    assert kinds(coco(), NAMES) == {}


def test_unknown_unused_and_shuffled(coco) -> None:
    file = coco()
    found = kinds(file, ('car', 'lorry', 'person'))
    assert set(found) == {'unknown_classes', 'unused_categories'}
    assert found['unknown_classes'].level == 'problem'
    assert found['unknown_classes'].examples == ['lorry']
    assert found['unused_categories'].level == 'warning'
    assert found['unused_categories'].examples == ['van (4 boxes)']
    found = kinds(file, ('person', 'van', 'car'))
    assert list(found) == ['class_order']
    assert "'person' would be learnt from the boxes of 'car'" in found['class_order'].message


def test_classes_without_boxes(coco) -> None:
    entries = content()
    entries['categories'].append(dict(id=4, name='tram'))
    file = coco(entries)
    assert boxes_per_category(file).tolist() == [4, 4, 4, 0]
    assert kinds(file, (*NAMES, 'tram'))['classes_without_boxes'].examples == ['tram']
    assert kinds(file, NAMES) == {}, 'a category nobody wants and nobody uses'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*NAMES, 'lorry']), min_size=1, unique=True))
def test_problems_are_exactly_shifted_labels(coco, tmp_path: Path, classes: list[str]) -> None:
    """Against the labels that MMDetection really gives."""
    file = coco()
    dataset = CocoDataset(
        ann_file=file.path,
        data_prefix=dict(img=''),
        metainfo=dict(classes=tuple(classes)),
        test_mode=True,
        serialize_data=False,  # collecting garbage takes most of the time
        pipeline=[],
    )
    names = {category['id']: category['name'] for category in file.categories}
    learnt = {label: names[category] for category, label in dataset.cat2label.items()}
    are_right = learnt == dict(enumerate(classes))
    problems = [f for f in check_classes(file, classes, 'here') if f.level == 'problem']
    assert are_right == (not problems)
