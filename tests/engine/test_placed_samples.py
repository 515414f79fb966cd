"""Batches and samples known by their place in the run, with the samplers that configs name."""

import random
from itertools import chain, islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.dataset import DefaultSampler, InfiniteSampler, pseudo_collate
from torch.utils.data import BatchSampler, DataLoader, Dataset

from abc_mmdet.engine import placed_samples
from abc_mmdet.engine.placed_samples import PlacedBatches, placed_loader
from abc_mmdet.errors import UserError


class Draws(Dataset):
    """Samples that are their index and what the three generators give."""

    def __init__(self, size: int = 7) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple:
        return index, random.random(), np.random.rand(), torch.rand(2).tolist()


def batches_of(kind: type, size: int, batch: int, drop_last: bool = False) -> BatchSampler:
    return BatchSampler(kind(Draws(size), shuffle=True, seed=3), batch, drop_last)


@given(
    kind=st.sampled_from([InfiniteSampler, DefaultSampler]),
    size=st.integers(1, 9),
    batch=st.integers(1, 4),
    start=st.integers(0, 20),
)
def test_begun_anywhere_it_goes_on_as_from_the_beginning(
    kind: type, size: int, batch: int, start: int
) -> None:
    whole = PlacedBatches(batches_of(kind, size, batch), endless=True)
    expected = list(islice(whole, start + 5))
    rest = PlacedBatches(batches_of(kind, size, batch), endless=True)
    rest.start = start
    assert list(islice(rest, 5)) == expected[start:]
    assert list(islice(rest, 5)) == expected[start:], 'again, wherever its sampler was left'
    numbers = [place.number for place in chain(*expected)]
    assert len(set(numbers)) == len(numbers)
    in_rounds = DefaultSampler(Draws(size), seed=3)
    if kind is DefaultSampler and len(numbers) >= 2 * size:
        in_rounds.set_epoch(1)
        indices = [place.index for place in chain(*expected)]
        assert indices[size : 2 * size] == list(in_rounds), 'the order of the next epoch'


def test_epochs_are_rounds_of_their_own() -> None:
    batches = PlacedBatches(batches_of(DefaultSampler, 5, 2), endless=False)
    batches.start = 6
    numbers = [place.number for place in chain(*batches)]
    assert numbers == [12, 13, 14, 15, 16]
    assert len(batches) == 3 and batches.batch_size == 2 and batches.sampler.seed == 3


def test_processes_draw_what_one_with_a_larger_batch_does(monkeypatch) -> None:
    def draw(rank: int, world_size: int, batch: int) -> list[tuple]:
        monkeypatch.setattr(placed_samples, 'get_dist_info', lambda: (rank, world_size))
        batches = batches_of(InfiniteSampler, 7, batch)
        batches.sampler.rank, batches.sampler.world_size = rank, world_size
        return list(islice(PlacedBatches(batches, endless=True), 6))

    one, two = draw(0, 1, 4), [draw(rank, 2, 2) for rank in (0, 1)]
    for whole, *halves in zip(one, *two, strict=True):
        assert sorted(whole) == sorted(chain(*halves))


def test_samples_depend_on_their_place_alone() -> None:
    def draw(workers: int, start: int, seed: int = 5) -> list:
        loader = DataLoader(
            Draws(),
            batch_sampler=batches_of(InfiniteSampler, 7, 2),
            num_workers=workers,
            collate_fn=pseudo_collate,
        )
        batches = PlacedBatches(loader.batch_sampler, endless=True)
        batches.start = start
        torch.rand(start)  # whatever the main process has drawn
        return list(islice(placed_loader(loader, batches, seed), 6 - start))

    expected = draw(0, 0)
    assert draw(2, 0) == expected
    assert draw(0, 3) == draw(1, 3) == expected[3:]
    assert draw(0, 0, seed=6)[0][1] != expected[0][1]
    images = [dict(zip(batch[0], batch[1], strict=True)) for batch in expected]
    shown_twice = [batch for batch in images[1:] if 0 in batch or 1 in batch]
    assert shown_twice and all(batch != images[0] for batch in shown_twice)


def test_other_loaders_of_the_data_set_are_left_alone() -> None:
    dataset = Draws()
    loader = DataLoader(dataset, batch_size=2, collate_fn=pseudo_collate)
    placed_loader(loader, PlacedBatches(loader.batch_sampler, endless=False), seed=0)
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    first = [dataset[i] for i in range(2)]
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    assert dataset.__getitems__([0, 1]) == first


def test_no_batch_is_refused() -> None:
    batches = PlacedBatches(batches_of(DefaultSampler, 3, 4, drop_last=True), endless=True)
    with pytest.raises(UserError, match='no batch'):
        next(iter(batches))
