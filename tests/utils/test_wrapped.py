"""Data sets inside others, in configs and when built."""

from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset

from abc_mmdet.utils.wrapped import leaves, walk


class Plain(BaseDataset):
    def load_data_list(self) -> list[dict]:
        return [dict(sample_idx=0)]


def test_of_configs() -> None:
    plain = [dict(type='CocoDataset', ann_file=name) for name in 'abc']
    wrapped = dict(
        type='RepeatDataset',
        dataset=dict(
            type='ConcatDataset',
            datasets=[plain[0], dict(type='ClassBalancedDataset', dataset=plain[1]), plain[2]],
        ),
    )
    assert leaves(wrapped) == plain
    assert [name for name, _ in walk(wrapped, 'x')] == [
        'x',
        'x.dataset',
        'x.dataset.datasets[0]',
        'x.dataset.datasets[1]',
        'x.dataset.datasets[1].dataset',
        'x.dataset.datasets[2]',
    ]
    assert leaves(plain[0]) == [plain[0]]


def test_of_data_sets() -> None:
    first, second = Plain(), Plain()
    assert leaves(ConcatDataset([first, second])) == [first, second]
    mixed = RepeatDataset(second, times=2)
    assert leaves(mixed) == [second]
    names = [name for name, _ in walk(mixed)]
    assert names == ['dataset', 'dataset.dataset']


def test_ten_side_by_side() -> None:
    """``datasets[1]`` is no wrapper of ``datasets[10]``."""
    plain = [dict(type=str(i)) for i in range(12)]
    assert leaves(dict(datasets=plain)) == plain
