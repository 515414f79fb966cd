"""Which objects are small, for the auxiliary task and for transforms: by class name and by size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.errors import UserError
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor

ALL = 'all'


class SmallClasses:
    """The small classes among the classes of a data set, and from which size on they are not small.

    Names are the only accepted form. The published ABC experiment selected the ids 2, 3, 4 and
    called them motorcycle, bicycle and pedestrian, while eTraM numbers bicycle, *bus* and
    motorbike so: the pedestrians were never in its auxiliary task.

    Args:
        classes: names of all classes, in the order of the data set's labels.
        small_classes: names of the small ones; their order gives the auxiliary labels. ``'all'``
            is every class. Without any name, ``max_area`` alone decides: every class again.
        max_area: objects of the small classes with a larger area are none of the task's, in
            pixels² of the network input; ``None`` for no limit.

    Attributes:
        names: the small classes, in the order of the auxiliary labels.
        ids: the label of each in the main task.
        max_area: the limit; infinite if there is none.

    Raises:
        UserError: an id instead of a name, an unknown name, a name given twice, neither a name
            nor a size, or a size that is not positive.

    Examples:
        >>> SmallClasses(('pedestrian', 'car', 'bicycle'), ['bicycle', 'pedestrian']).ids
        (2, 0)
    """

    def __init__(
        self,
        classes: Sequence[str],
        small_classes: Sequence[str] | str,
        max_area: float | None = None,
    ) -> None:
        classes = checked_names(classes, 'classes')
        refuse_ids(classes, small_classes)
        if max_area is not None and not max_area > 0:
            raise UserError(f'max_area={max_area}: give a positive area in pixels², or None.')
        self.max_area = math.inf if max_area is None else float(max_area)
        if small_classes == ALL or (max_area is not None and not small_classes):
            small_classes = classes
        elif not small_classes:
            raise UserError(
                "small_classes is empty: give class names or 'all'. (Where there is a max_area, it "
                'may decide alone.)'
            )
        self.names = checked_names(small_classes, 'small_classes')
        unknown = [name for name in self.names if name not in classes]
        if unknown:
            raise UserError(
                f'small_classes names {unknown}, which the data set does not have.\n'
                f'  small_classes: {list(self.names)}\n'
                f'  classes:       {list(classes)}\n'
                'Use names exactly as they stand in classes.'
            )
        self.ids = tuple(classes.index(name) for name in self.names)
        self.num_main_classes = len(classes)

    def label_table(self) -> Tensor:
        """``(num classes,)`` table from a label of the main task to the auxiliary one, or -1."""
        table = torch.full((self.num_main_classes,), -1, dtype=torch.long)
        table[list(self.ids)] = torch.arange(len(self.ids))
        return table


def select_instances(
    instances: InstanceData, label_table: Tensor, max_area: float = math.inf
) -> InstanceData:
    """A new ``InstanceData`` with the instances of the auxiliary task, relabelled.

    Args:
        instances: ground truth of the main task, left as it is; ``labels`` ``(N,)`` and
            ``bboxes`` ``(N, 4)``, ``xyxy``.
        label_table: see :meth:`SmallClasses.label_table`, on the device of the labels.
        max_area: the area up to which objects are small, in the units of the boxes.
    """
    labels = label_table[instances.labels]
    chosen = (labels >= 0) & (_areas(instances) <= max_area)
    small = instances[chosen]
    small.labels = labels[chosen]
    return small


def small_sample(
    sample: DetDataSample, label_table: Tensor, max_area: float = math.inf
) -> DetDataSample:
    """Ground truth of the auxiliary task for one image; ``sample`` is left as it is.

    Objects of small classes above ``max_area`` become *ignored* instances rather than background.
    A pedestrian close to the camera looks like the small ones further off: a task that calls him
    background pulls the shared features away from the main task, which calls him a pedestrian.
    What ignoring means is the auxiliary head's business; :class:`AuxSmallObjectHead` does not
    train its objectness inside such boxes.

    Args:
        sample: ground truth of the main task.
        label_table, max_area: as in :func:`select_instances`.
    """
    small = DetDataSample(metainfo=sample.metainfo)
    instances = sample.gt_instances
    small.gt_instances = select_instances(instances, label_table, max_area)
    too_large = (label_table[instances.labels] >= 0) & (_areas(instances) > max_area)
    ignored = [get_box_tensor(instances.bboxes)[too_large]]
    if 'ignored_instances' in sample:
        ignored.append(get_box_tensor(sample.ignored_instances.bboxes))
    small.ignored_instances = InstanceData(bboxes=torch.cat(ignored))
    return small


def _areas(instances: InstanceData) -> Tensor:
    boxes = get_box_tensor(instances.bboxes)
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def checked_names(names: Sequence[str], field: str) -> tuple[str, ...]:
    """``names`` as a tuple of distinct strings, or a :class:`UserError` that names ``field``."""
    if isinstance(names, str):
        raise UserError(
            f'{field}={names!r} is one string; write a tuple of names: {field}=({names!r},).'
        )
    names = tuple(names)
    if not names:
        raise UserError(f'{field} is empty; give at least one class name.')
    not_names = [name for name in names if not isinstance(name, str)]
    if not_names:
        raise UserError(f'{field}={list(names)} holds {not_names}; class names are strings.')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f'{field} names {twice} more than once: {list(names)}.')
    return names


def refuse_ids(classes: Sequence[str], small_classes: Sequence[object]) -> None:
    """Raise a :class:`UserError` that tells which names the given class ids would mean."""
    ids = [i for i in small_classes if isinstance(i, int)]
    if ids:
        meant = [classes[i] if 0 <= i < len(classes) else 'no such class' for i in ids]
        raise UserError(
            f'small_classes={list(small_classes)} are ids. By id they would mean {meant}; the '
            f'order of classes is {list(classes)}.\n'
            'Ids mean other classes in other data sets: give the names you want instead.'
        )


class SmallObjects:
    """Small objects by class, given by name, and by size.

    Args:
        owner: name of the transform, for messages.
        small_classes: names of the classes, or ``'all'``; empty: ``max_area`` decides.
        max_area: area up to which objects are small, in pixels² of the image at this step of the
            pipeline; ``None`` for no limit.
        classes: names of all classes, in the order of the data set; needed with names of small
            ones.

    Attributes:
        classes: as given, or None.
        labels: of the small classes; None stands for all.
        max_area: the limit; infinite if there is none.

    Raises:
        UserError: wrong class names, a size that is not positive, neither names nor a size.

    Examples:
        >>> small = SmallObjects('Example', ['bird'], max_area=64, classes=['bird', 'car'])
        >>> boxes = np.array([[0, 0, 8, 8], [0, 0, 9, 8], [0, 0, 8, 8]])
        >>> small.among(boxes, labels=np.array([0, 0, 1]), ignored=np.zeros(3)).tolist()
        [True, False, False]
    """

    def __init__(
        self,
        owner: str,
        small_classes: Sequence[str] | str,
        max_area: float | None,
        classes: Sequence[str] | None,
    ) -> None:
        if max_area is not None and not max_area > 0:
            raise UserError(f'{owner} max_area={max_area}: give a positive area, or None.')
        if max_area is None and not small_classes:
            raise UserError(f'{owner} needs small_classes, max_area or both.')
        self.labels: tuple[int, ...] | None = None
        self.classes = None if classes is None else checked_names(classes, 'classes')
        if small_classes and small_classes != ALL:
            if self.classes is None:
                raise UserError(
                    f'{owner} small_classes are names, so it needs to know their '
                    'order: add classes=classes, the tuple of the data set.'
                )
            self.labels = SmallClasses(self.classes, small_classes).ids
        self.max_area = math.inf if max_area is None else max_area

    def among(self, boxes: np.ndarray, labels: np.ndarray, ignored: np.ndarray) -> np.ndarray:
        """``(N,)`` whether objects are small; ignored ones never are.

        Args:
            boxes: ``(N, 4)``, ``xyxy``.
            labels: ``(N,)``.
            ignored: ``(N,)``.
        """
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        small = (areas <= self.max_area) & ~np.asarray(ignored, dtype=bool)
        return small if self.labels is None else small & np.isin(labels, self.labels)
