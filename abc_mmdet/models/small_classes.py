"""Which classes the auxiliary task is about: given by name, never by id."""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.errors import UserError


class SmallClasses:
    """The small classes among the classes of a data set, and their ground truth.

    Names are the only accepted form. The published ABC experiment selected the ids 2, 3, 4 and
    called them motorcycle, bicycle and pedestrian, while eTraM numbers bicycle, *bus* and
    motorbike so: the pedestrians were never in its auxiliary task.

    Args:
        classes: names of all classes, in the order of the data set's labels.
        small_classes: names of the small ones; their order gives the auxiliary labels.

    Attributes:
        names: the small classes, in the order of the auxiliary labels.
        ids: the label of each in the main task.

    Raises:
        UserError: an id instead of a name, an unknown name, a name given twice, or none at all.
    """

    def __init__(self, classes: Sequence[str], small_classes: Sequence[str]) -> None:
        classes = checked_names(classes, 'classes')
        refuse_ids(classes, small_classes)
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


def select_instances(instances: InstanceData, label_table: Tensor) -> InstanceData:
    """A new ``InstanceData`` with the instances of the small classes, relabelled.

    Args:
        instances: ground truth of the main task, left as it is; needs ``labels`` ``(N,)``.
        label_table: see :meth:`SmallClasses.label_table`, on the device of the labels.
    """
    labels = label_table[instances.labels]
    small = instances[labels >= 0]
    small.labels = labels[labels >= 0]
    return small


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
