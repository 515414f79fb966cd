import json
from pathlib import Path

import pytest

from abc_mmdet.apis import load_experiment
from abc_mmdet.errors import UserError
from abc_mmdet.report import TestSet, load_test_set, read_detections

from .conftest import CONFIG


def entry(test_set: TestSet, **changes: object) -> dict:
    image, category = next(iter(test_set.images)), test_set.category_ids[0]
    return dict(
        dict(image_id=image, category_id=category, bbox=[1, 2, 3, 4.5], score=0.5), **changes
    )


def test_reads_what_is_there(test_set: TestSet, tmp_path: Path) -> None:
    path = tmp_path / 'a.bbox.json'
    for content in ([], [entry(test_set)]):
        path.write_text(json.dumps(content))
        assert read_detections(path, test_set) == content


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(image_id=987654), r'another data set than .*val.json: 1 of its 1 images .*987654'),
        (dict(image_id=[1]), 'image_id and category_id .* are no ids'),
        (dict(image_id='1'), "1 of its 1 images .*'1'"),
        (dict(category_id=77), 'another data set.*1 of its 1 categories'),
        (dict(bbox=[1, 2, 3]), r'entry 0: bbox \[1, 2, 3\]'),
        (dict(score=float('nan')), 'no finite numbers'),
    ],
)
def test_refuses_entries(test_set: TestSet, tmp_path: Path, change: dict, message: str) -> None:
    path = tmp_path / 'a.bbox.json'
    path.write_text(json.dumps([entry(test_set, **change)]))
    with pytest.raises(UserError, match=message):
        read_detections(path, test_set)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, r'no results .*tools/test.py .*--out'),
        (b'[{"image_id": 1,', 'cut off'),
        (b'\x80\x04\x95', 'no JSON'),  # a pickle
        (b'{"images": []}', 'no list of detections'),
        (b'[{"image_id": 1}]', 'entry 0: .* none of COCO results'),
        (b'[5]', 'entry 0'),
    ],
)
def test_refuses_files(
    test_set: TestSet, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / 'a.bbox.json'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_detections(path, test_set)


def load(traffic: Path, **options: object) -> TestSet:
    return load_test_set(load_experiment(CONFIG, dict(options, data_root=str(traffic))))


def test_what_the_config_says(test_set: TestSet, traffic: Path) -> None:
    content = json.loads((traffic / 'annotations' / 'val.json').read_text())
    assert test_set.annotations == content['annotations']
    assert list(test_set.images.values()) == content['images']
    assert [test_set.classes[label] for label in test_set.small] == [
        'pedestrian', 'bicycle', 'motorbike', 'wheelchair'
    ]  # fmt: skip
    first = next(iter(test_set.images.values()))
    assert test_set.image(first).shape == (first['height'], first['width'], 3)
    assert test_set.max_dets == (100, 300, 1000)


def test_cocos_own_metric_and_wrapped_data_sets_will_do(traffic: Path, test_set: TestSet) -> None:
    config = load_experiment(CONFIG, dict(data_root=str(traffic)))
    ann_file = config.test_evaluator.ann_file
    config.test_evaluator = [dict(type='CocoMetric', ann_file=ann_file, metric='bbox')]
    loader = config.test_dataloader
    loader.dataset = dict(type='ClassBalancedDataset', oversample_thr=0.1, dataset=loader.dataset)
    loaded = load_test_set(config)
    assert loaded.annotations == test_set.annotations
    assert loaded.small == test_set.small, "from the config's variable"
    config.small_classes = None
    assert load_test_set(config).small == []


def test_ground_truth_of_the_data_set_where_the_evaluator_names_none(
    traffic: Path, test_set: TestSet
) -> None:
    loaded = load(traffic, **{'test_evaluator.ann_file': None})
    assert loaded.category_ids == list(range(8)) != test_set.category_ids, 'labels, as it writes'
    assert loaded.labels.tolist() == test_set.labels.tolist()
    assert [a['bbox'] for a in loaded.annotations] == [a['bbox'] for a in test_set.annotations]


def test_images_that_are_not_evaluated_are_not_missed(traffic: Path, test_set: TestSet) -> None:
    """Those beyond ``indices``, and without a box where the data set leaves such out."""
    two = load(traffic, **{'test_dataloader.dataset.indices': 2})
    assert list(two.images) == list(test_set.images)[:2]
    assert two.annotations == [a for a in test_set.annotations if a['image_id'] in two.images]
    content = json.loads((traffic / 'annotations' / 'val.json').read_text())
    empty = content['images'][0]['id']
    content['annotations'] = [a for a in content['annotations'] if a['image_id'] != empty]
    (traffic / 'annotations' / 'one_empty.json').write_text(json.dumps(content))
    options = {
        'test_evaluator.ann_file': str(traffic / 'annotations' / 'one_empty.json'),
        'test_dataloader.dataset.ann_file': 'annotations/one_empty.json',
        'test_dataloader.dataset.filter_cfg': dict(filter_empty_gt=True),
    }
    assert empty in load(traffic, **options).images
    options['test_dataloader.dataset.test_mode'] = False
    assert empty not in load(traffic, **options).images


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'test_evaluator.ann_file': 'nowhere.json'}, 'no annotation file nowhere.json'),
        ({'test_evaluator': None}, 'no SmallObjectMetric or CocoMetric'),
        ({'test_dataloader': None}, 'no test_dataloader'),
        ({'test_dataloader.dataset.type': 'Typo'}, 'Typo'),
        (
            {'test_evaluator.ann_file': None, 'test_dataloader.dataset.ann_file': ''},
            'neither test_evaluator nor',
        ),
    ],
    ids=lambda value: '' if isinstance(value, str) else ' '.join(value),
)
def test_mistakes_in_configs(traffic: Path, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(traffic, **options)


def test_annotation_files_that_do_not_fit(traffic: Path, tmp_path: Path) -> None:
    content = json.loads((traffic / 'annotations' / 'val.json').read_text())
    path = tmp_path / 'other.json'
    options = {'test_evaluator.ann_file': str(path)}
    path.write_text(json.dumps(dict(content, annotations=[])))
    with pytest.raises(UserError, match='has no box of any of the classes'):
        load(traffic, **options)
    content['categories'][0]['name'] = 'walker'
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"has no classes \['pedestrian'\]"):
        load(traffic, **options)
