import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.dataset import InfiniteSampler

from abc_mmdet.apis import prepare_run
from abc_mmdet.datasets.samplers import SmallObjectSampler, count_small_objects
from abc_mmdet.errors import UserError
from mmdet.registry import DATA_SAMPLERS


class Images:
    """A data set with the given sides and labels of square boxes per image."""

    metainfo = dict(classes=('car', 'person'))

    def __init__(self, *images: list[tuple[float, int]]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def get_data_info(self, index: int) -> dict:
        boxes = self.images[index]
        return dict(
            instances=[
                dict(bbox=[5.0, 6.0, 5.0 + side, 6.0 + side], bbox_label=label, ignore_flag=0)
                for side, label in boxes
            ]
        )


def crowd(*sizes: int) -> Images:
    return Images(*([(8.0, 1)] * n for n in sizes))


def draw(sampler: SmallObjectSampler, number: int) -> list[int]:
    return list(itertools.islice(iter(sampler), number))


def test_what_counts() -> None:
    images = Images([(8, 0), (8, 1), (40, 1)], [], [(32, 1), (32, 0)])
    assert count_small_objects(images, (), 1024).tolist() == [2, 0, 2]
    assert count_small_objects(images, ('person',), 1024).tolist() == [1, 0, 1]
    assert count_small_objects(images, ('person',), None).tolist() == [2, 0, 1]
    ignored = images.get_data_info(0)
    ignored['instances'][1]['ignore_flag'] = 1
    images.get_data_info = lambda index: ignored
    assert count_small_objects(images, ('person',), None).tolist() == [1, 1, 1]


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=12),
    power=st.floats(0, 1.5),
    seed=st.integers(0, 100),
)
def test_every_round_gives_each_image_its_due(counts, power, seed) -> None:
    sampler = SmallObjectSampler(crowd(*counts), power=power, seed=seed)
    weights = (1 + np.array(counts)) ** power
    due = len(counts) * weights / weights.sum()
    drawn = draw(sampler, 3 * len(counts))
    for start in range(0, len(drawn), len(counts)):
        times = Counter(drawn[start : start + len(counts)])
        assert times.total() == len(counts)
        for image, expected in enumerate(due):
            assert np.floor(expected - 1e-9) <= times[image] <= np.ceil(expected + 1e-9)


def test_average_over_rounds_is_the_due() -> None:
    counts = [0, 0, 3, 24, 1]
    drawn = Counter(draw(SmallObjectSampler(crowd(*counts), seed=1), 5 * 2000))
    weights = np.sqrt(1 + np.array(counts))
    expected = 10_000 * weights / weights.sum()
    np.testing.assert_allclose([drawn[i] for i in range(5)], expected, rtol=0.03)


def test_order_within_a_round_is_mixed() -> None:
    drawn = np.array(draw(SmallObjectSampler(crowd(*range(100)), seed=0), 1000)).reshape(10, 100)
    assert abs(np.corrcoef(drawn.mean(0), np.arange(100))[0, 1]) < 0.4
    assert len({tuple(row) for row in drawn.tolist()}) == 10


def test_the_seed_decides() -> None:
    images = crowd(0, 5, 9, 1, 3, 0, 0)
    drawn = draw(SmallObjectSampler(images, seed=4), 60)
    assert draw(SmallObjectSampler(images, seed=4), 60) == drawn
    assert draw(SmallObjectSampler(images, seed=5), 60) != drawn


@pytest.mark.skipif(
    not hasattr(InfiniteSampler, 'skip'), reason='this MMEngine draws and drops what is skipped'
)
def test_resumption_skips_what_was_drawn() -> None:
    images = crowd(0, 5, 9, 1, 3, 0, 0)
    all_at_once = draw(SmallObjectSampler(images, seed=4), 60)
    resumed = SmallObjectSampler(images, seed=4)
    resumed.skip(23)
    assert draw(resumed, 37) == all_at_once[23:]


def test_processes_share_one_order() -> None:
    images = crowd(0, 5, 9, 1, 3, 0, 0)
    expected = draw(SmallObjectSampler(images, seed=4), 60)
    parts = []
    for rank in range(3):
        sampler = SmallObjectSampler(images, seed=4)
        sampler.rank, sampler.world_size = rank, 3
        parts.append(draw(sampler, 20))
    assert [i for together in zip(*parts, strict=True) for i in together] == expected


@pytest.mark.parametrize('world_size', [1, 3])
def test_epochs_end_and_differ(world_size: int) -> None:
    images = crowd(0, 5, 9, 1, 3, 0, 0)
    samplers = [SmallObjectSampler(images, seed=4, by_epoch=True) for _ in range(world_size)]
    orders = []
    for epoch in range(3):
        parts = []
        for rank, sampler in enumerate(samplers):
            sampler.rank, sampler.world_size = rank, world_size
            sampler.set_epoch(epoch)
            parts.append(list(sampler))
            assert len(parts[-1]) == len(sampler) == -(-7 // world_size)
        orders.append([i for together in zip(*parts, strict=True) for i in together])
        drawn, weights = Counter(orders[-1][:7]), np.sqrt([1, 6, 10, 2, 4, 1, 1])
        due = 7 * weights / weights.sum()
        assert all(abs(drawn[i] - due[i]) < 1 for i in range(7))
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize('cfg', [dict(type='EpochBasedTrainLoop'), dict(by_epoch=True)])
def test_loop_of_epochs_gets_a_sampler_of_epochs(cfg: dict) -> None:
    loader = dict(sampler=dict(type='SmallObjectSampler'))
    config = Config(dict(train_cfg=dict(cfg, max_epochs=2), train_dataloader=loader))
    prepare_run(config)
    assert config.train_dataloader.sampler.by_epoch
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
    config.train_dataloader.sampler = dict(type='SmallObjectSampler')
    prepare_run(config)
    assert 'by_epoch' not in config.train_dataloader.sampler


def test_wrong_options_are_refused() -> None:
    with pytest.raises(UserError, match='power=-1'):
        DATA_SAMPLERS.build(
            dict(type='SmallObjectSampler', power=-1), default_args=dict(dataset=crowd(1))
        )
    with pytest.raises(UserError, match='scooter'):
        SmallObjectSampler(crowd(1), small_classes=('scooter',))
    with pytest.raises(UserError, match='cannot look into a list'):
        SmallObjectSampler([1, 2])
    without = crowd(1)
    without.get_data_info = lambda index: {}
    with pytest.raises(UserError, match='RecordingSampler'):
        SmallObjectSampler(without)
