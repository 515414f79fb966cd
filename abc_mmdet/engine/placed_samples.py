"""Batches and samples that depend on their place in the run, and on nothing that came before."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import count, islice
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_dist_info
from torch.utils.data import DataLoader, Dataset

from abc_mmdet.errors import UserError


def sample_names(data_batch: Any) -> list[str]:
    """Image paths of a collated batch; of clips, the recording and the steps.

    Several views of one image (semi-supervised training) are named once.

    Args:
        data_batch: as a data loader gives it: ``data_samples`` is a list of samples, or a dict of
            such lists. Anything else has no names.
    """
    samples = data_batch.get('data_samples', []) if isinstance(data_batch, dict) else []
    views = samples.values() if isinstance(samples, dict) else [samples]
    return list(dict.fromkeys(_name(sample) for view in views for sample in view))


def _name(sample: Any) -> str:
    if hasattr(sample, 'img_path'):
        return str(sample.img_path)
    if hasattr(sample, 'recording'):
        frames = getattr(sample, 'video_data_samples', [])
        recording = frames[0].recording if len(frames) else f'recording {sample.recording}'
        return f'{recording}, steps {sample.start} to {sample.stop - 1}'
    return 'unnamed'


_OPTIONS = (
    *('num_workers', 'collate_fn', 'pin_memory', 'timeout', 'worker_init_fn', 'prefetch_factor'),
    *('multiprocessing_context', 'generator', 'persistent_workers', 'in_order'),
)
_NO_SIZE = 1 << 16  # stands for the size of batches that does not have one


class Place(NamedTuple):
    """What a batch sampler asked for, and the number of that sample in the run.

    Samples are numbered over all processes, in the order in which MMEngine's samplers deal them
    out: two processes draw what one with twice the batch size does.

    Examples:
        >>> Place(index=7, number=120).number
        120
    """

    index: Any
    number: int


class PlacedBatches:
    """A batch sampler whose batches are known by their number in the run.

    To begin in the middle the earlier batches are asked for and dropped, which takes seconds for
    100,000 of them, as nothing is loaded.

    Args:
        batches: the batch sampler; its attributes are to be had from here as well.
        endless: begin again when a sampler has come to its end, with its next epoch; all rounds
            are counted through. Else every iteration is a round that begins with :attr:`start`.

    Attributes:
        start: number of the batch that the next iteration begins with.

    Examples:
        >>> from torch.utils.data import BatchSampler
        >>> batches = PlacedBatches(BatchSampler(range(5), 2, drop_last=False), endless=False)
        >>> [[place.number for place in batch] for batch in batches]
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, batches: Any, endless: bool) -> None:
        self.batches, self.endless, self.start = batches, endless, 0

    def __getattr__(self, name: str) -> Any:
        if name == 'batches':  # not there yet: while it is copied
            raise AttributeError(name)
        return getattr(self.batches, name)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Place]]:
        rank, world_size = get_dist_info()
        size = getattr(self.batches, 'batch_size', _NO_SIZE)
        for number, batch in self._numbered():
            yield [
                Place(index, (number * size + i) * world_size + rank)
                for i, index in enumerate(batch)
            ]

    def _numbered(self) -> Iterator[tuple[int, list]]:
        if not self.endless:
            return enumerate(self.batches, self.start)
        sampler = self.batches.sampler
        if isinstance(sampler, InfiniteSampler):  # which goes on where it was left
            sampler.indices = sampler._indices_of_rank()
        return islice(enumerate(self._rounds()), self.start, None)

    def _rounds(self) -> Iterator[list]:
        for number in count():
            if hasattr(self.batches.sampler, 'set_epoch'):
                self.batches.sampler.set_epoch(number)
            batch = None
            for batch in self.batches:
                yield batch
            if batch is None:
                raise UserError(
                    'train_dataloader gives no batch: fewer samples than batch_size, which '
                    'drop_last drops?'
                )


class PlacedSamples:
    """Draws samples, each with random numbers that follow from its place in the run.

    Neither the number of loader processes nor an interruption changes them. It stands as
    ``__getitems__`` beside the ``__getitem__`` of a data set, where PyTorch's loaders look first.

    Args:
        dataset: where the samples come from.
        seed: of the run.

    Examples:
        >>> draw = PlacedSamples(['a', 'b', 'c'], seed=0)
        >>> draw([Place(index=2, number=0), 1])
        ['c', 'b']
    """

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset, self.seed = dataset, seed
        self._skips: tuple[float, tuple[str, ...]] = (math.inf, ())

    def skip_from(self, number: int, skip_type_keys: tuple[str, ...]) -> None:
        """Leave out transforms of a ``MultiImageMixDataset`` from this sample of the run on."""
        self._skips = number, skip_type_keys

    def __call__(self, places: list) -> list:
        return [self._draw(place) for place in places]

    def _draw(self, place: Any) -> Any:
        if not isinstance(place, Place):  # of another loader of the same data set
            return self.dataset[place]
        seed_all(self.seed, place.number)
        first, skip_type_keys = self._skips
        if skip_type_keys:
            is_last_part = place.number >= first
            self.dataset.update_skip_type_keys(skip_type_keys if is_last_part else ())  # type: ignore
        return self.dataset[place.index]


def placed_loader(loader: DataLoader, batches: PlacedBatches, seed: int) -> DataLoader:
    """A loader like the given one that draws these batches by their places."""
    setattr(loader.dataset, '__getitems__', PlacedSamples(loader.dataset, seed))  # noqa: B010
    # Older versions of PyTorch do not have all of them
    options = {name: getattr(loader, name) for name in _OPTIONS if hasattr(loader, name)}
    return DataLoader(loader.dataset, batch_sampler=batches, **options)


def seed_all(*seed: int) -> None:
    """Seed Python, NumPy and PyTorch's CPU from whole numbers, of which each counts."""
    words = np.random.SeedSequence(seed).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(words[1:3])
    torch.default_generator.manual_seed(int(words[3]))
