"""``save_best``: which figure is meant."""

import pytest

from abc_mmdet.engine.best_key import best_key
from abc_mmdet.errors import UserError

KEYS = ['coco/pedestrian_precision', 'coco/bbox_mAP', 'coco/bbox_mAP_50']


@pytest.mark.parametrize(
    ('wanted', 'keys', 'meant'),
    [
        ('coco/bbox_mAP', KEYS, 'coco/bbox_mAP'),
        ('bbox_mAP', KEYS, 'coco/bbox_mAP'),
        ('auto', KEYS, 'coco/bbox_mAP'),
        ('auto', ['pascal_voc/AP50', 'pascal_voc/mAP'], 'pascal_voc/mAP'),
        ('auto', ['bbox_mAP_50', 'segm_mAP'], 'segm_mAP'),
        ('auto', ['other', 'more'], 'other'),
        ('mAP', KEYS, None),
        ('bbox', KEYS, None),
    ],
)
def test_names_with_and_without_prefix(wanted: str, keys: list[str], meant: str | None) -> None:
    assert best_key(wanted, keys) == meant


def test_two_figures_of_one_name() -> None:
    with pytest.raises(UserError, match=r'one of first/mAP, second/mAP'):
        best_key('mAP', ['first/mAP', 'second/mAP', 'first/mAP'])
