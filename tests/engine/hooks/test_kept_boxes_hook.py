"""Training data of any kind without a single box stops before the first iteration."""

from types import SimpleNamespace

import pytest
from mmengine.dataset import BaseDataset, ConcatDataset

from abc_mmdet.engine import KeptBoxesHook
from abc_mmdet.errors import UserError


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
