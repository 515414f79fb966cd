"""Batches of images of one size, which no padding makes different from single images."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from torch.utils.data import Sampler

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
