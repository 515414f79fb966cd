"""Parts of configs."""

from abc_mmdet.apis.config_parts import innermost, type_name
from mmdet.models import YOLOX


def test_wrapped_data_sets() -> None:
    leaves = [dict(type='CocoDataset', ann_file=name) for name in 'abc']
    wrapped = dict(
        type='RepeatDataset',
        dataset=dict(
            type='ConcatDataset',
            datasets=[leaves[0], dict(type='ClassBalancedDataset', dataset=leaves[1]), leaves[2]],
        ),
    )
    assert list(innermost(wrapped)) == leaves


def test_type_by_name_and_as_a_class() -> None:
    for kind in ('YOLOX', 'mmdet.YOLOX', YOLOX):
        assert type_name(dict(type=kind)) == 'YOLOX'
    assert type_name({}) == ''
