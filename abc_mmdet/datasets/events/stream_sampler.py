"""Which clips stand in which batch: recordings streamed in lanes, random clips beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from abc_mmdet.errors import UserError
from mmdet.registry import DATA_SAMPLERS

from .event_sequence_dataset import Clip, EventSequenceDataset


@DATA_SAMPLERS.register_module()
class RecordingSampler(Sampler):
    """The recordings of this process, in the order in which lanes take them.

    In distributed runs every recording belongs to one process for good: its clips follow each
    other there, and no two processes learn from the same one.

    Args:
        dataset: the recordings.
        seed: of the order; the same in all processes.
        shuffle: random order, another one in each round; else that of the data set.
        infinite: start again when all have had their turn (for training by iterations).
        recordings: numbers of those that are streamed; default: all.

    Raises:
        UserError: another kind of data set, or in training fewer recordings than processes.

    Examples:
        >>> sampler = dict(type='RecordingSampler', shuffle=True)  # of a train_dataloader
    """

    def __init__(
        self,
        dataset: EventSequenceDataset,
        seed: int | None = None,
        shuffle: bool = True,
        infinite: bool = True,
        recordings: Sequence[int] | None = None,
    ) -> None:
        if not isinstance(dataset, EventSequenceDataset):
            raise UserError(
                f'RecordingSampler streams an EventSequenceDataset, not {type(dataset).__name__}.'
            )
        rank, world_size = get_dist_info()
        order = list(range(len(dataset.sequences)) if recordings is None else recordings)
        if infinite and len(order) < world_size:
            raise UserError(
                f'{len(order)} recordings cannot be shared among {world_size} '
                'processes: start fewer.'
            )
        self.dataset = dataset
        self.seed = sync_random_seed() if seed is None else seed
        self.shuffle = shuffle
        self.infinite = infinite
        self.epoch = 0
        if shuffle:
            order = np.random.default_rng(self.seed).permutation(order).tolist()
        self.recordings = order[rank::world_size]

    def __iter__(self) -> Iterator[int]:
        yield from self.round(self.epoch)
        if self.infinite:
            for number in count(self.epoch + 1):
                yield from self.round(number)

    def round(self, number: int) -> list[int]:
        """The recordings in the order of this round."""
        order = self.recordings
        if self.shuffle:
            rng = np.random.default_rng((self.seed, number, *order[:1]))
            order = rng.permutation(order).tolist()
        return order

    def __len__(self) -> int:
        return len(self.recordings)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch


@DATA_SAMPLERS.register_module()
class StreamBatchSampler:
    """Batches of clips: each lane streams one recording after the other, the rest is random.

    The recordings come from the sampler; whichever lane is free takes the next. When a sampler
    that is not infinite has no more, lanes run dry and the last batches are smaller. Random clips
    end at a labelled frame, as in RVT (Gehrig and Scaramuzza, 2023), which mixes both half and
    half.

    Args:
        sampler: a :class:`RecordingSampler`.
        batch_size: clips per batch.
        random_share: share of the batch that is random clips, from 0 (test) to less than 1; one
            lane is left to streams in any case.

    Raises:
        UserError: another kind of sampler, a share out of range, or random clips wanted from
            recordings without labels.

    Examples:
        >>> batch_sampler = dict(type='StreamBatchSampler', random_share=0.5)
    """

    def __init__(
        self, sampler: RecordingSampler, batch_size: int, random_share: float = 0.0
    ) -> None:
        if not isinstance(sampler, RecordingSampler):
            raise UserError(
                "StreamBatchSampler needs sampler=dict(type='RecordingSampler', ...), not "
                f'{type(sampler).__name__}.'
            )
        self.sampler = sampler
        self.batch_size = batch_size
        if not 0 <= random_share < 1:
            raise UserError(
                f'StreamBatchSampler random_share={random_share}: it is 0 or more and less than 1.'
            )
        self.num_random = min(round(batch_size * random_share), batch_size - 1)
        dataset = sampler.dataset
        self.frames = [
            (recording, frame)
            for recording in sampler.recordings
            for frame in range(len(dataset.sequences[recording].frame_steps))
        ]
        if self.num_random and not self.frames:
            raise UserError('random_share: random clips end at labels, and there are none.')

    def __iter__(self) -> Iterator[list[Clip]]:
        sampler, dataset = self.sampler, self.sampler.dataset
        rng = np.random.default_rng((sampler.seed, sampler.epoch, *sampler.recordings[:1]))
        recordings = iter(sampler)
        lanes: list[Iterator[Clip]] = [iter(()) for _ in range(self.batch_size - self.num_random)]
        while True:
            batch = []
            for lane in range(len(lanes)):
                clip = next(lanes[lane], None)
                if clip is None and (recording := next(recordings, None)) is not None:
                    lanes[lane] = iter(dataset.stream(recording, seed=int(rng.integers(2**62))))
                    clip = next(lanes[lane])
                if clip is not None:
                    batch.append(clip)
            if not batch:
                return
            for _ in range(self.num_random):
                recording, frame = self.frames[rng.integers(len(self.frames))]
                batch.append(dataset.clip_before(recording, frame, int(rng.integers(2**62))))
            yield batch

    def __len__(self) -> int:
        """Batches of one round through the recordings."""
        dataset = self.sampler.dataset
        lanes = [0] * (self.batch_size - self.num_random)
        for recording in self.sampler.round(self.sampler.epoch):
            lane = lanes.index(min(lanes))
            lanes[lane] += len(dataset.stream(recording, seed=0))
        return max(lanes)
