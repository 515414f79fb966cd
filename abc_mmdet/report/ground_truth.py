"""Ground truth and images of a test set, from a COCO file or from event recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset

from abc_mmdet.datasets.annotations import image_path, read_whole
from abc_mmdet.datasets.events import EventSequenceDataset
from abc_mmdet.datasets.events.event_sequence_dataset import Clip
from abc_mmdet.errors import UserError
from abc_mmdet.evaluation import SmallObjectMetric
from abc_mmdet.inference import images as image_files
from abc_mmdet.visualization import draw_events


@dataclass(frozen=True)
class GroundTruth:
    """What there is to find.

    Args:
        source: file or folder it comes from.
        image: from the record of an image to its pixels, ``(H, W, 3)``, blue, green, red.
        images, annotations: COCO's records, all of them, those of other categories included.
        category_ids: of each label.
        unit: what the images are, in the plural.
        group: field of the images that says which of them belong together; empty for none.

    Examples:
        >>> coco_ground_truth(dataset, 'annotations/val.json').category_ids  # doctest: +SKIP
    """

    source: Path
    image: Callable[[dict], np.ndarray]
    images: list[dict]
    annotations: list[dict]
    category_ids: list[int | str]
    unit: str = 'images'
    group: str = ''


def coco_ground_truth(dataset: BaseDataset, of_metric: str | None) -> GroundTruth:
    """Of images with an annotation file, those that are evaluated.

    Args:
        dataset: not loaded yet.
        of_metric: the evaluator's own annotation file, if it has one.

    Raises:
        UserError: no such file, or it lacks a class of the config.
    """
    ann_file = of_metric or dataset.ann_file
    if not Path(ann_file).is_file():
        raise UserError(f'There is no annotation file {ann_file} (from {Path.cwd()}).')
    file = read_whole(str(ann_file))
    category_ids = _category_ids(file.categories, dataset.metainfo['classes'], ann_file)
    images = _evaluated(file.images, dataset)
    ids = {image['id'] for image in images}
    annotations = [a for a in file.annotations if a['image_id'] in ids]
    if of_metric is None:
        annotations, category_ids = _as_loaded(annotations, category_ids)
    folder = Path(dataset.data_prefix.get('img') or dataset.data_root or '.')
    return GroundTruth(
        Path(ann_file),
        partial(_of_folder, str(folder), str(ann_file)),
        images,
        annotations,
        category_ids,
    )


def event_ground_truth(dataset: EventSequenceDataset, metric: SmallObjectMetric) -> GroundTruth:
    """Of event recordings: their labelled frames, as the metric gets them in a test.

    Args:
        dataset: not loaded yet.
        metric: what it is evaluated by.
    """
    dataset.full_init()
    frames, more = [], []
    for number, sequence in enumerate(dataset.sequences):
        clip = Clip(number, 0, sequence.num_steps, seed=0, streamed=True)
        info = dataset.get_data_info(clip)
        height, width = info['ori_shape']
        for frame in info['frames']:
            anns = [
                dict(bbox=box.tolist(), bbox_label=int(label), ignore_flag=0, still=bool(still))
                for box, label, still in zip(
                    frame['bboxes'], frame['labels'], frame['still'], strict=True
                )
            ]
            time = dict(timestamp_us=frame['timestamp_us'])
            size = dict(width=width, height=height)
            frames.append(dict(img_id=frame['img_id'], anns=anns, **time, **size))
            name = f'{sequence.name}_{frame["timestamp_us"] // 1000:07d}ms'
            where = dict(recording=sequence.name, number=number, step=frame['step'])
            more.append(dict(file_name=name, **where))
    images, annotations = metric.records(frames)
    return GroundTruth(
        Path(dataset.data_prefix['recordings']),
        partial(_of_recordings, dataset),
        [{**image, **entry} for image, entry in zip(images, more, strict=True)],
        annotations,
        list(range(len(dataset.metainfo['classes']))),
        'labelled frames',
        'recording',
    )


def _evaluated(images: list[dict], dataset: BaseDataset) -> list[dict]:
    """Those that a detector is run on: all, but for ``indices`` and filters of a data set."""
    if dataset._indices is None and (dataset.test_mode or not dataset.filter_cfg):
        return images
    dataset.full_init()
    ids = {dataset.get_data_info(place)['img_id'] for place in range(len(dataset))}
    return [image for image in images if image['id'] in ids]


def _of_folder(folder: str, ann_file: str, image: dict) -> np.ndarray:
    return read_image(Path(image_path(folder, image['file_name'], ann_file)))


def _of_recordings(dataset: EventSequenceDataset, image: dict) -> np.ndarray:
    """Drawn in the size of the sensor, whose pixels boxes are in."""
    sequence = dataset.sequences[image['number']]
    (events,) = sequence.representations(image['step'], image['step'] + 1)
    return draw_events(events, upscale=dataset.factor)


def _category_ids(
    categories: Sequence[dict], classes: Sequence[str], ann_file: str
) -> list[int | str]:
    by_name = {c['name']: c['id'] for c in categories}
    missing = [name for name in classes if name not in by_name]
    if missing:
        raise UserError(
            f'{ann_file} has no classes {missing}.\n'
            f'  of the config: {list(classes)}\n'
            f'  of the file:   {list(by_name)}'
        )
    return [by_name[name] for name in classes]


def _as_loaded(
    annotations: Sequence[dict], category_ids: Sequence[int | str]
) -> tuple[list[dict], list[int | str]]:
    """Ground truth as an evaluator without ``ann_file`` gets it: labels, and areas of boxes."""
    label = {category: i for i, category in enumerate(category_ids)}
    return [
        dict(a, category_id=label[a['category_id']], area=a['bbox'][2] * a['bbox'][3])
        for a in annotations
        if a['category_id'] in label
    ], list(range(len(category_ids)))


@lru_cache(maxsize=4)
def read_image(path: Path) -> np.ndarray:
    """As :func:`abc_mmdet.inference.images.read_image`, but the last few are remembered.

    Raises:
        UserError: no such file, or none that can be read.
    """
    if not path.is_file():
        raise UserError(
            f'There is no image {path}; its name comes from the annotation file and the data '
            'set of test_dataloader. --gallery 0 makes a report without images.'
        )
    return image_files.read_image(path)
