"""Which images come when: those with small objects more often, those of one size together."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence, Sized
from typing import Any

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from torch.utils.data import Sampler

from abc_mmdet.errors import UserError
from abc_mmdet.models.small_classes import SmallClasses
from mmdet.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class SameSizeBatchSampler(Sampler):
    """Puts images of one size into a batch, so that evaluation does not depend on its size.

    A batch is padded to its largest image. What a network finds near the border of a smaller one
    then depends on its company, and it finds things in the padding, too. Alone, or among images of
    its own size, an image has the result that ``predict`` gives it. Images of unknown size go
    through the network one by one.

    Every image comes once; in the order of the sampler, but for those that wait for others of
    their size. For evaluation: in training let the order be random.

    Args:
        sampler: gives the images in order.
        batch_size: most images of a batch.
        drop_last: is not heeded, for every image counts.

    Examples:
        >>> loader = dict(batch_size=8, batch_sampler=dict(type='SameSizeBatchSampler'))
    """

    def __init__(self, sampler: Sampler, batch_size: int, drop_last: bool = False) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self._sizes: dict[int, Hashable] = {}
        self._lengths: dict[int, int] = {}  # by epoch, which decides on the order of the sampler

    def __iter__(self) -> Iterator[list[int]]:
        waiting: dict[Hashable, list[int]] = {}
        for index in self.sampler:
            size = self._size(index)
            batch = waiting.setdefault(size, [])
            batch.append(index)
            if len(batch) == self.batch_size or size is None:
                yield waiting.pop(size)
        yield from waiting.values()

    def __len__(self) -> int:
        # Asked for with every line of the log, and as long to count as the data set is
        epoch = getattr(self.sampler, 'epoch', 0)
        if epoch not in self._lengths:
            self._lengths[epoch] = sum(1 for _ in self)
        return self._lengths[epoch]

    def _size(self, index: int) -> Hashable:
        if index not in self._sizes:
            dataset: Any = self.sampler.dataset  # type: ignore[attr-defined]  # MMEngine's have it
            info = dataset.get_data_info(index) if hasattr(dataset, 'get_data_info') else {}
            known = 'width' in info and 'height' in info
            self._sizes[index] = (info['width'], info['height']) if known else None
        return self._sizes[index]


@DATA_SAMPLERS.register_module()
class SmallObjectSampler(InfiniteSampler):
    """Draws an image with ``n`` small objects ``(1 + n) ** power`` times as often as one without.

    (MMDetection's ``ClassBalancedDataset`` repeats images of rare *classes*, however many objects
    they have and of whatever size.)

    Images are drawn in rounds of the length of the data set. In a round an image that is due 2.3
    times comes 2 or 3 times, one that is due 0.4 times comes once or not at all, right on
    average; so nothing stays away by bad luck for long, as it may with independent draws. All
    processes share one order, and each takes its part of it. A resumed run skips what has been
    drawn, as with MMEngine's ``InfiniteSampler``.

    Args:
        dataset: any data set whose ``get_data_info`` has ``instances`` (COCO, VOC, ...), also in
            the wrappers of MMEngine and MMDetection.
        small_classes: names of the classes that count, or ``'all'``; empty: ``max_area`` decides.
        max_area: area up to which their objects count, in pixels² of the image file; ``None`` for
            no limit.
        power: 0 draws all images alike, 1 in proportion to their small objects.
        seed: of the order; the same in all processes. By default a common random one.
        by_epoch: end after each round, for ``EpochBasedTrainLoop``, which would never come to the
            end of its first epoch otherwise; for ``IterBasedTrainLoop`` without an end. (Our
            ``tools/train.py`` sees to it.)

    Raises:
        UserError: wrong class names, a negative power, or a data set without instances.

    Examples:
        >>> from mmengine.dataset import BaseDataset
        >>> small, large = [0, 0, 9, 9], [0, 0, 90, 90]
        >>> images = [[large], [small] * 3]
        >>> class Images(BaseDataset):
        ...     METAINFO = dict(classes=('bird',))
        ...     def load_data_list(self):
        ...         return [dict(instances=[dict(bbox=b, bbox_label=0) for b in i]) for i in images]
        >>> SmallObjectSampler(Images(), 'all', power=0.5).weights.tolist()
        [1.0, 2.0]
    """

    def __init__(
        self,
        dataset: Sized,
        small_classes: Sequence[str] | str = (),
        max_area: float | None = 32.0**2,
        power: float = 0.5,
        seed: int | None = None,
        by_epoch: bool = False,
    ) -> None:
        if power < 0:
            raise UserError(f'SmallObjectSampler power={power} would avoid them; give 0 or more.')
        counts = count_small_objects(dataset, small_classes, max_area)
        self.weights = (1.0 + counts) ** power
        super().__init__(dataset, shuffle=True, seed=seed)
        self.by_epoch = by_epoch
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        if not self.by_epoch:
            yield from super().__iter__()
            return
        generator = torch.Generator()
        generator.manual_seed(self.seed + self.epoch)
        drawn = self._round(generator)
        drawn += drawn[: len(self) * self.world_size - self.size]  # as many for every process
        yield from drawn[self.rank :: self.world_size]

    def __len__(self) -> int:
        if not self.by_epoch:
            return int(super().__len__())
        return -(-self.size // self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Another order in every epoch; MMEngine's ``DistSamplerSeedHook`` calls it."""
        self.epoch = epoch

    def _infinite_indices(self) -> Iterator[int]:
        generator = torch.Generator()
        generator.manual_seed(self.seed)
        while True:
            yield from self._round(generator)

    def _round(self, generator: torch.Generator) -> list[int]:
        """As many images as there are, in random order."""
        due = np.cumsum(self.weights) * (self.size / self.weights.sum())
        # One needle every whole number from a random start; image i is hit where a needle
        # falls into its stretch of the line, which is as long as it is often due.
        needles = np.arange(self.size) + torch.rand((), generator=generator).item()
        drawn = np.searchsorted(due, needles, side='right').clip(max=self.size - 1)
        order = torch.randperm(self.size, generator=generator).numpy()
        return [int(i) for i in drawn[order]]


def count_small_objects(
    dataset: Sized, small_classes: Sequence[str] | str, max_area: float | None
) -> np.ndarray:
    """``(len(dataset),)`` how many small objects, ignored ones left out, each image has."""
    classes = getattr(dataset, 'metainfo', {}).get('classes')
    if classes is None or not hasattr(dataset, 'get_data_info'):
        raise UserError(
            f'SmallObjectSampler cannot look into a {type(dataset).__name__}: it needs a data set '
            'with metainfo.classes and get_data_info, such as CocoDataset.'
        )
    small = SmallClasses(classes, small_classes, max_area)
    counts = np.zeros(len(dataset))
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if 'instances' not in info:
            raise UserError(
                f'SmallObjectSampler: images of {type(dataset).__name__} come without instances; '
                'for event recordings use RecordingSampler.'
            )
        for instance in info['instances']:
            x1, y1, x2, y2 = instance['bbox']
            counts[index] += (
                instance['bbox_label'] in small.ids
                and not instance.get('ignore_flag', 0)
                and (x2 - x1) * (y2 - y1) <= small.max_area
            )
    return counts
