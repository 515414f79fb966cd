"""A data set of an experiment, of whatever kind, as the checks see it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from abc_mmdet.datasets.annotations.finding import Finding

from .box_sizes import BoxSizes
from .copies import Part


@dataclass(frozen=True)
class Split(ABC):
    """One data set, as one or several data loaders use it.

    Args:
        fields: of the config that describe it, such as ``train_dataloader.dataset``.
        key: equal for data sets that read the same.
        classes: names in the order of the config.
        sizes: of its boxes.
        at_network: whether these are sizes in the network, not on disk.
        parts: its images or recordings.
    """

    fields: list[str]
    key: tuple
    classes: tuple[str, ...]
    sizes: BoxSizes
    at_network: bool
    parts: Sequence[Part]

    unit: ClassVar[str]
    """What its parts are called, in the plural."""
    pixels_are: ClassVar[str]
    """Who has more pixels than the network's input: ``the images have``."""
    without_pixels: ClassVar[str]
    """What helps small objects where there are no more pixels; before ``or ...``."""
    show_more: ClassVar[str]
    """How a rare class is seen more often."""
    finer_levels: ClassVar[str]
    """Config of ours that detects on finer levels."""

    @property
    def trains(self) -> bool:
        return any(name.startswith('train_dataloader') for name in self.fields)

    @property
    def title(self) -> str:
        """Its loaders in short, such as ``val, test``."""
        return ', '.join(dict.fromkeys(name.partition('_')[0] for name in self.fields))

    @property
    @abstractmethod
    def source(self) -> str:
        """Where it is, for people."""

    @property
    @abstractmethod
    def amount(self) -> str:
        """How many of what, for people, such as ``7 images``."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """The same for machines."""

    @abstractmethod
    def input_shapes(self) -> Counter[tuple[int, int]]:
        """Width and height of what the network gets, and how often."""

    @abstractmethod
    def check(self) -> Iterator[Finding]:
        """What is wrong with the data by itself."""

    def advise_training(self) -> Iterator[str]:
        """What to do about settings of its kind of data set."""
        yield from ()
