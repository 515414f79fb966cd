"""Weights of a pretrained detector for a detector of other levels and classes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from mmengine.model import bias_init_with_prob
from torch import Tensor, nn

from abc_mmdet.errors import UserError

from .names import AUX_HEAD, match_classes, meanings, strides_of

PRIOR = 0.01
"""Score that a class without a counterpart begins with, as in :class:`YOLOXHead`."""

LEAST_OF_BACKBONE = 0.5
"""Share of the backbone's weights below which a file is taken for the wrong one."""

_CLASS_LAYER = re.compile(r'^bbox_head@\d+\.multi_level_conv_cls\.(weight|bias)$')

_FIRST_OF_BLOCK = re.compile(r'^neck@\d+\.top_down_blocks\.(main|short)_conv\.conv\.weight$')


@dataclass
class Transfer:
    """What became of the weights of a pretrained detector.

    Args:
        state: tensors by the names of the new detector; what is new has its own values.
        taken: names in the new detector of the tensors that were taken over.
        new: names of those that were not.
        unused: names in the file of what the new detector has no place for.
        classes: for each class the one whose rows it took, or None; empty if there are no layers
            with a row per class.
        strides: of the levels in the file and in the new detector.
        rows_as_they_are: the file does not name its classes, and has as many.

    Examples:
        >>> state = {'backbone.weight': torch.zeros(6), 'neck.weight': torch.zeros(2)}
        >>> result = Transfer(state, taken=['backbone.weight'], new=['neck.weight'])
        >>> result.share(), result.share('neck')
        (0.75, 0.0)
    """

    state: dict[str, Tensor]
    taken: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    classes: dict[str, str | None] = field(default_factory=dict)
    strides: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    rows_as_they_are: bool = False

    def share(self, part: str = '') -> float:
        """Which share of the weights of a part (``backbone``) was taken over; nan without any."""
        prefix = f'{part}.' if part else ''
        sizes = {name: value.numel() for name, value in self.state.items()}
        taken = sum(sizes[name] for name in self.taken if name.startswith(prefix))
        total = sum(size for name, size in sizes.items() if name.startswith(prefix))
        return taken / total if total else math.nan

    def table(self, others: str = 'new') -> str:
        """A line per part of the detector, and one for the classes.

        Args:
            others: heading of the column with what was not taken over.
        """
        lines = [f'{"":<12}{"tensors":>15}{"weights":>9}  {others}']
        for part in dict.fromkeys(name.split('.')[0] for name in self.state):
            taken = [name for name in self.taken if name.startswith(f'{part}.')]
            new = [name for name in self.new if name.startswith(f'{part}.')]
            counts = f'{len(taken)} of {len(taken) + len(new)}'
            lines.append(
                f'{part:<12}{counts:>15}{100 * self.share(part):>7.0f} %  {_modules(new)}'.rstrip()
            )
        old, now = self.strides
        if old != now and old:
            lines.append(f'levels: strides {_listed(old)} -> {_listed(now)}')
        if self.rows_as_they_are:
            lines.append('classes: rows as they are in the file, which does not name them')
        by_name = [f'{name} <- {source}' for name, source in self.classes.items() if source]
        mean = [name for name, source in self.classes.items() if not source]
        if by_name:
            lines.append(f'classes by name: {_listed(by_name)}')
        if mean:
            lines.append(f'classes without a counterpart, from the mean of all: {_listed(mean)}')
        return '\n'.join(lines)


@dataclass(frozen=True)
class HeadLayout:
    """What a detection head predicts.

    Args:
        strides: of its levels, finest first.
        classes: their names; None if they are not known.

    Examples:
        >>> HeadLayout(strides=(8, 16, 32), classes=('car', 'bus')).strides
        (8, 16, 32)
    """

    strides: Sequence[int]
    classes: Sequence[str] | None = None


def transfer(
    pretrained: Mapping[str, Tensor],
    model: nn.Module,
    main: HeadLayout,
    aux: HeadLayout | None = None,
    pretrained_classes: Sequence[str] | None = None,
    class_map: Mapping[str, str] | None = None,
) -> Transfer:
    """Give each tensor of a detector its counterpart in a pretrained one.

    Necks and heads are matched by the stride of a level, not by its index: the head of stride 8
    stays the head of stride 8 where a level of stride 4 comes before it. Class layers are matched
    row by row, by the name of the class (:func:`match_classes`); a class without a counterpart
    takes the mean of all rows, and a bias for a score of :data:`PRIOR`. Everything else is matched
    by name, and the first layer of a network for gray images takes the sum over the colours. What
    has no counterpart, or one of another shape, stays as it is.

    Args:
        pretrained: tensors with MMDetection's names (:func:`tensors_of`).
        model: the new detector, with initial weights.
        main: of its main head.
        aux: of its auxiliary head, which starts as the pretrained head where it is built alike.
        pretrained_classes: those of the pretrained detector; where they are not known, class layers
            of the same number of rows are taken as they are.
        class_map: see :func:`match_classes`.

    Raises:
        UserError: wrong names in ``class_map``.
    """
    own = model.state_dict()
    old_strides = strides_of(pretrained, main.strides[-1] if main.strides else 32)
    theirs = {meaning: name for name, meaning in meanings(pretrained, old_strides).items()}
    rows = _class_rows(theirs, pretrained, pretrained_classes)
    result = Transfer({}, strides=(old_strides, list(main.strides)))
    if rows and main.classes is not None:
        if pretrained_classes is None and len(rows) == len(main.classes) and not class_map:
            result.rows_as_they_are = True  # most likely the same classes
        else:
            result.classes = match_classes(main.classes, rows, class_map)
    meaning_of = meanings(own, main.strides, aux.strides if aux else ())
    found: dict[str, Tensor | None] = {}
    for name, meaning in meaning_of.items():
        value = pretrained.get(theirs.get(meaning, ''))
        head = aux if name.startswith(AUX_HEAD) else main
        if value is not None and result.classes and _CLASS_LAYER.match(meaning):
            classes = (head and head.classes) or ()
            value = _rows_by_name(value, rows, [result.classes.get(name) for name in classes])
        if value is not None and meaning.startswith('backbone.stem.'):
            value = _without_colours(value, own[name].shape)
        if value is not None and _FIRST_OF_BLOCK.search(meaning):
            value = _without_context(value, own[name].shape)
        fits = value is not None and value.shape == own[name].shape
        found[name] = value if fits else None
    # An auxiliary head is built alike or not at all: its last layers mean nothing without the first
    if any(value is None for name, value in found.items() if name.startswith(AUX_HEAD)):
        found.update({name: None for name in found if name.startswith(AUX_HEAD)})
    for name, value in found.items():
        (result.new if value is None else result.taken).append(name)
        result.state[name] = own[name] if value is None else value.to(own[name].dtype)
    used = {theirs[meaning_of[name]] for name in result.taken}
    result.unused = [name for name in pretrained if name not in used]
    return result


def check_fits(result: Transfer, file: str) -> None:
    """Stop where a file is for another network.

    Raises:
        UserError: less than half of the backbone's weights were taken over.
    """
    share = result.share('backbone')
    if not share < LEAST_OF_BACKBONE:
        return
    new = [name for name in result.new if name.startswith('backbone.')]
    raise UserError(
        f'{file} does not fit this network: {100 * share:.0f} % of the backbone can be taken over '
        f'from it.\n{result.table()}\n'
        f'  for example the network has {new[0]} {tuple(result.state[new[0]].shape)}\n'
        f'  and the file                {_closest(new[0], result)}\n'
        'Give weights of a network with the same backbone (type, depth and width), or leave '
        'load_from out to train from scratch.'
    )


def _closest(name: str, result: Transfer) -> str:
    same = [unused for unused in result.unused if unused == name]
    if same:
        return f'{name} of another shape'
    return f'no {name}; it begins with {", ".join(result.unused[:2])}'


def _class_rows(
    theirs: Mapping[str, str], pretrained: Mapping[str, Tensor], names: Sequence[str] | None
) -> list[str]:
    """Names of the rows of the pretrained class layers; none where there is no such layer."""
    layers = [pretrained[name] for meaning, name in theirs.items() if _CLASS_LAYER.match(meaning)]
    if not layers:
        return []
    number = len(layers[0])
    if names is not None and len(names) == number:
        return list(names)
    return [f'row {i}' for i in range(number)]


def _rows_by_name(layer: Tensor, rows: Sequence[str], sources: Sequence[str | None]) -> Tensor:
    mean = layer.mean(0)
    if layer.ndim == 1:
        mean = torch.full_like(mean, bias_init_with_prob(PRIOR))
    chosen = [mean if name is None else layer[rows.index(name)] for name in sources]
    return torch.stack(chosen) if chosen else layer


def _without_colours(weight: Tensor, shape: Sequence[int]) -> Tensor:
    """The first layer for images whose channels are equal, if that is what has this shape.

    ``Focus`` stacks the channels of one place beside each other, then those of the next.
    """
    if weight.ndim != 4 or weight.shape[1] != 3 * shape[1]:
        return weight
    return weight.unflatten(1, (-1, 3)).sum(2)


def _without_context(weight: Tensor, shape: Sequence[int]) -> Tensor:
    """The first layers of a block that gets no map from the level above, if they have this shape.

    The neck puts the map from above before the level's own.
    """
    return weight[:, shape[1] :] if weight.shape[1] == 2 * shape[1] else weight


def _modules(names: Sequence[str], most: int = 4) -> str:
    """Short names of the modules that tensors belong to."""
    modules = list(dict.fromkeys(_module(name) for name in names))
    more = f', {len(modules) - most} more' if len(modules) > most else ''
    return ', '.join(modules[:most]) + more


def _module(name: str) -> str:
    path = name.split('.')[1:-1]
    numbers = [i for i, part in enumerate(path) if part.isdigit()]
    return '.'.join(path[: numbers[0] + 1] if numbers else path[:1]) or name


def _listed(values: Sequence[object]) -> str:
    return ', '.join(map(str, values))
