"""Data sets of an experiment as the checks see them: images with a COCO file, event recordings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from abc_mmdet.datasets.annotations.checks import PROBLEM, Issue
from abc_mmdet.datasets.annotations.coco_file import CocoFile
from abc_mmdet.datasets.events import EventSequenceDataset
from mmdet.datasets import CocoDataset

from .annotation_checks import check_annotations
from .box_sizes import BoxSizes
from .class_checks import check_classes, check_use
from .duplicates import Part
from .event_checks import check_recordings
from .event_recordings import EventRecording, EventRecordings
from .image_checks import ImageFile, check_images, look_at_images
from .network_input import NetworkInput
from .usable_boxes import check_nothing_kept


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
    def check(self) -> Iterator[Issue]:
        """What is wrong with the data by itself."""

    def advise_training(self) -> Iterator[str]:
        """What to do about settings of its kind of data set."""
        yield from ()


@dataclass(frozen=True)
class CocoSplit(Split):
    """One annotation file with its images.

    Args:
        file: its annotations.
        folder: of its images.
        network_input: how images reach the network; None if that is not known.
        filter_cfg: which images training leaves out.
    """

    parts: list[ImageFile]
    file: CocoFile
    folder: str
    network_input: NetworkInput | None
    filter_cfg: dict

    unit = 'images'
    pixels_are = 'the images have'
    without_pixels = 'train and test on slices of the images, enlarged,'
    show_more = 'label more, or show its images more often (ClassBalancedDataset)'
    finer_levels = 'configs/frames/finer_levels_100k.py'

    @classmethod
    def look_at(
        cls,
        field: str,
        dataset: CocoDataset,
        network_input: NetworkInput | None,
        decode: bool,
        progress: bool,
    ) -> CocoSplit:
        """Read the files of a data set.

        Args:
            field: of the config that describes it.
            dataset: not loaded yet.
            network_input: as above.
            decode: read and decode every image.
            progress: show a bar in a terminal.
        """
        folder, classes = dataset.data_prefix.get('img', ''), tuple(dataset.metainfo['classes'])
        file = CocoFile.read(dataset.ann_file)
        return cls(
            [field],
            cls.key_of(dataset),
            classes,
            BoxSizes.of(file, classes, network_input),
            network_input is not None,
            look_at_images(file, folder, decode, progress),
            file,
            folder,
            network_input,
            {} if dataset.test_mode else dict(dataset.filter_cfg or {}),
        )

    @staticmethod
    def key_of(dataset: CocoDataset) -> tuple:
        """Equal for data sets that read the same."""
        classes = tuple(dataset.metainfo['classes'])
        return dataset.ann_file, dataset.data_prefix.get('img', ''), classes

    @property
    def source(self) -> str:
        return f'{self.file.path}, images in {self.folder or "."}'

    @property
    def amount(self) -> str:
        return f'{len(self.file.images)} images'

    def facts(self) -> dict[str, Any]:
        malformed = sum(text.startswith('annotations[') for text in self.file.malformed)
        return dict(
            ann_file=self.file.path,
            image_folder=self.folder,
            images=len(self.file.images),
            empty_images=len(self.file.empty_images),
            annotations=len(self.file.annotations) + malformed,
        )

    def input_shapes(self) -> Counter[tuple[int, int]]:
        sizes = Counter((int(i['width']), int(i['height'])) for i in self.file.images)
        shapes: Counter[tuple[int, int]] = Counter()
        for size, number in sizes.items():
            shapes[self.network_input.shape(size) if self.network_input else size] += number
        return shapes

    def check(self) -> Iterator[Issue]:
        if not self.file.images:
            yield Issue('no_images', PROBLEM, self.file.path, 'there are no images in it')
        yield from check_annotations(self.file)
        if self.file.images:
            minimum = self.filter_cfg.get('min_size', 0)
            yield from check_nothing_kept(self.file, self.classes, minimum)
        yield from check_classes(self.file, self.classes, f'{self.fields[0]}.metainfo.classes')
        yield from check_images(self.file, self.parts, self.folder)

    def advise_training(self) -> Iterator[str]:
        minimum = self.filter_cfg.get('min_size', 0)
        small = sum(min(i['width'], i['height']) < minimum for i in self.file.images)
        if small:
            yield f'filter_cfg leaves out {small} images with a side below {minimum} px.'
        empty = len(self.file.empty_images)
        if empty and self.filter_cfg.get('filter_empty_gt'):
            yield (
                f'filter_cfg leaves out {empty} images without boxes; with filter_empty_gt=False '
                'the network learns from them what background is.'
            )


@dataclass(frozen=True)
class EventSplit(Split):
    """The recordings below one folder.

    Args:
        data: what is in it.
    """

    parts: list[EventRecording]
    data: EventRecordings

    unit = 'recordings'
    pixels_are = 'the sensor has'
    without_pixels = 'use another lens or come closer,'
    show_more = 'label more'
    finer_levels = 'configs/finer_levels_100k.py'

    @classmethod
    def look_at(
        cls,
        field: str,
        dataset: EventSequenceDataset,
        _: NetworkInput | None,
        decode: bool,
        progress: bool,
    ) -> EventSplit:
        """Read the recordings of a data set; arguments as of :meth:`CocoSplit.look_at`."""
        data, classes = EventRecordings.read(dataset, decode, progress), dataset.metainfo['classes']
        # Representations go to the network as they are
        sizes = BoxSizes.of_table(
            data.boxes, data.names, classes, lambda shapes: np.full_like(shapes, 1 / data.factor)
        )
        key = cls.key_of(dataset)
        return cls([field], key, tuple(classes), sizes, True, data.recordings, data)

    @staticmethod
    def key_of(dataset: EventSequenceDataset) -> tuple:
        """Equal for data sets that read the same."""
        folder, classes = dataset.data_prefix['recordings'], tuple(dataset.metainfo['classes'])
        return folder, dataset.representation, dataset.downsample, classes

    @property
    def source(self) -> str:
        return f'{self.data.path}, event representations downsampled by {self.data.factor}'

    @property
    def amount(self) -> str:
        return f'{len(self.data.readable)} recordings, {self.data.num_frames} labelled frames'

    def facts(self) -> dict[str, Any]:
        data = self.data
        filled = np.unique(data.boxes.image[data.boxes.used])
        return dict(
            folder=data.path,
            downsample=data.factor,
            recordings=len(data.recordings),
            unreadable_recordings=len(data.recordings) - len(data.readable),
            steps=sum(len(recording.window_ends_us) for recording in data.readable),
            labelled_frames=data.num_frames,
            empty_frames=data.num_frames - len(filled),
            annotations=len(data.labels),
        )

    def input_shapes(self) -> Counter[tuple[int, int]]:
        return Counter((r.shape[2], r.shape[1]) for r in self.data.readable if r.shape is not None)

    def check(self) -> Iterator[Issue]:
        yield from check_recordings(self.data)
        yield from check_use(self.data, self.classes, f'{self.fields[0]}.metainfo.classes')

    @property
    def channels(self) -> set[int]:
        """Of the representations."""
        return {recording.shape[0] for recording in self.data.readable if recording.shape}
