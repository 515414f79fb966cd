"""What another detector calls the same thing: its tensors and levels, its classes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from abc_mmdet.errors import UserError

from .content import named_tensors
from .conversion import to_plain

AUX_HEAD = 'bbox_head.aux_head.'

_MEGVII = (
    (r'^backbone\.backbone\.stem\.', 'backbone.stem.'),
    (r'^backbone\.backbone\.dark(\d)\.', lambda m: f'backbone.stage{int(m[1]) - 1}.'),
    (r'^backbone\.lateral_conv0\.', 'neck.reduce_layers.0.'),
    (r'^backbone\.reduce_conv1\.', 'neck.reduce_layers.1.'),
    (r'^backbone\.C3_p4\.', 'neck.top_down_blocks.0.'),
    (r'^backbone\.C3_p3\.', 'neck.top_down_blocks.1.'),
    (r'^backbone\.bu_conv2\.', 'neck.downsamples.0.'),
    (r'^backbone\.bu_conv1\.', 'neck.downsamples.1.'),
    (r'^backbone\.C3_n3\.', 'neck.bottom_up_blocks.0.'),
    (r'^backbone\.C3_n4\.', 'neck.bottom_up_blocks.1.'),
    (r'^head\.stems\.', 'neck.out_convs.'),
    (r'^head\.(cls|reg)_convs\.', r'bbox_head.multi_level_\1_convs.'),
    (r'^head\.(cls|reg|obj)_preds\.', r'bbox_head.multi_level_conv_\1.'),
    (r'\.dconv\.', '.depthwise_conv.'),
    (r'\.pconv\.', '.pointwise_conv.'),
)

_MEGVII_CSP = re.compile(
    r'^(backbone\.stage(?:[123]\.1|4\.2)|neck\.\w+_blocks\.\d)\.(conv[123]|m)\.'
)

_TOP_DOWN = ('reduce_layers', 'top_down_blocks')
_CSP = dict(conv1='main_conv', conv2='short_conv', conv3='final_conv', m='blocks')
_STAGE = re.compile(r'^backbone\.stage(\d)\.')
_LEVEL = re.compile(r'^bbox_head\.multi_level_\w+\.(\d+)\.')

_LEVELED = re.compile(
    r'^(?P<part>neck\.(?P<block>reduce_layers|top_down_blocks|downsamples|bottom_up_blocks|'
    r'out_convs)|bbox_head\.multi_level_\w+?)\.(?P<index>\d+)\.(?P<rest>.+)$'
)


def tensors_of(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a checkpoint, below whatever wrapper it has, with MMDetection's names.

    As :func:`named_tensors`; Megvii's names become MMDetection's.

    Returns:
        Tensors by name; none if the file holds none.
    """
    state = named_tensors(checkpoint)
    if has_megvii_names(state):
        state = {_from_megvii(name): value for name, value in state.items()}
    return state


def has_megvii_names(names: Iterable[str]) -> bool:
    """Whether these are the tensors of a checkpoint of Megvii's YOLOX, with its names."""
    return any(name.startswith('backbone.backbone.') for name in names)


def _from_megvii(name: str) -> str:
    """The name of a tensor of Megvii's YOLOX in MMDetection."""
    for pattern, replacement in _MEGVII:
        name = re.sub(pattern, replacement, name)
    return _MEGVII_CSP.sub(lambda match: f'{match[1]}.{_CSP[match[2]]}.', name)


def strides_of(names: Iterable[str], coarsest: int = 32) -> list[int]:
    """Strides of the levels of a detector, from the names of its tensors alone.

    The coarsest map is that of the last stage of a ``CSPDarknet``; the neck says how many come
    before it, and the head how many levels are made of them.

    Args:
        names: of the tensors, MMDetection's.
        coarsest: stride of the last level where the backbone has no such stages.
    """
    names = [plain_name(name) for name in names]
    stages = [int(match[1]) for name in names if (match := _STAGE.match(name))]
    levels = max((int(match[1]) + 1 for name in names if (match := _LEVEL.match(name))), default=0)
    last = 2 ** (max(stages) + 1) if stages else coarsest
    finest = last >> (_count('reduce_layers', names) or max(levels - 1, 0))
    return [finest << i for i in range(levels)]


def meanings(
    names: Iterable[str], strides: Sequence[int], aux_strides: Sequence[int] = ()
) -> dict[str, str]:
    """What each tensor does, the same for all detectors: the index of a level becomes its stride.

    The main head inside an :class:`ABCHead` is the head of a plain detector. The auxiliary head
    means the same as the main head: each of its levels can start as the head of that stride.

    Args:
        names: of the tensors, MMDetection's.
        strides: of the levels of neck and main head, finest first.
        aux_strides: of the levels of an auxiliary head.

    Examples:
        >>> meanings(['neck.out_convs.1.conv.weight'], (8, 16, 32))
        {'neck.out_convs.1.conv.weight': 'neck@16.out_convs.conv.weight'}
    """
    names = list(names)
    top_down = {block: _count(block, names) for block in _TOP_DOWN}
    return {name: _meaning(name, strides, aux_strides, top_down) for name in names}


def _count(block: str, names: Iterable[str]) -> int:
    """How many layers of this kind a neck has."""
    matches = (_LEVELED.match(plain_name(name)) for name in names)
    return max(
        (int(match['index']) + 1 for match in matches if match and match['block'] == block),
        default=0,
    )


def plain_name(name: str) -> str:
    """The name in a plain detector; of what exists in training only its own."""
    return next(iter(to_plain({name: None})), name)


def _meaning(
    name: str, strides: Sequence[int], aux_strides: Sequence[int], top_down: Mapping[str, int]
) -> str:
    plain = plain_name(name)
    if plain.startswith(AUX_HEAD):
        strides = aux_strides
        plain = plain.replace(AUX_HEAD, 'bbox_head.', 1)
    match = _LEVELED.match(plain)
    if match is None:
        return name if name.startswith(AUX_HEAD) else plain
    index = int(match['index'])
    # reduce_layers and top_down_blocks go down from the coarsest level, the others up
    place = {
        'reduce_layers': top_down['reduce_layers'] - index,
        'top_down_blocks': top_down['top_down_blocks'] - 1 - index,
        'downsamples': index + 1,
        'bottom_up_blocks': index + 1,
    }.get(match['block'], index)
    if not strides or place < 0:
        return name
    # a TrimmedPAFPN begins above the levels that it has
    stride = strides[place] if place < len(strides) else strides[-1] << (place - len(strides) + 1)
    part, _, layer = match['part'].partition('.')
    return f'{part}@{stride}.{layer}.{match["rest"]}'


SYNONYMS = (
    ('person', 'pedestrian', 'people', 'human', 'man', 'walker'),
    ('bicycle', 'bike', 'cycle', 'pushbike'),
    ('motorcycle', 'motorbike', 'motor', 'scooter', 'moped'),
    ('car', 'vehicle', 'automobile', 'van', 'sedan', 'small vehicle'),
    ('truck', 'lorry', 'large vehicle'),
    ('train', 'tram', 'streetcar'),
    ('airplane', 'aeroplane', 'plane', 'aircraft'),
    ('boat', 'ship', 'vessel'),
    ('traffic light', 'traffic signal'),
    ('cell phone', 'mobile phone', 'phone'),
    ('couch', 'sofa'),
    ('tv', 'monitor', 'tvmonitor'),
    ('potted plant', 'pottedplant'),
    ('dining table', 'diningtable'),
)
"""Names of the same thing; the first is COCO's."""

_GROUP = {name: group[0] for group in SYNONYMS for name in group}


def match_classes(
    classes: Sequence[str],
    pretrained: Sequence[str],
    class_map: Mapping[str, str] | None = None,
) -> dict[str, str | None]:
    """The pretrained class for each class: the same name, else a usual synonym, else None.

    Case, plural, and how words are joined do not count: ``Traffic_Lights`` is ``traffic light``.

    Args:
        classes: names of the data set.
        pretrained: names that the pretrained detector knows.
        class_map: pretrained names given by the user, which go before all rules; None as a name
            takes none.

    Raises:
        UserError: ``class_map`` has a name that one of the two lists does not have.

    Examples:
        >>> match_classes(['Pedestrians', 'Vehicle', 'kite'], ['person', 'car'])
        {'Pedestrians': 'person', 'Vehicle': 'car', 'kite': None}
        >>> match_classes(['drone'], ['airplane', 'bird'], {'drone': 'bird'})
        {'drone': 'bird'}
    """
    given = dict(class_map or {})
    for name, source in given.items():
        if name not in classes:
            raise UserError(
                f'class_map names {name!r}, which the data set does not have: {list(classes)}.'
            )
        if source is not None and source not in pretrained:
            raise UserError(
                f'class_map gives {name!r} the class {source!r}, which the pretrained detector '
                f'does not have: {list(pretrained)}.'
            )
    by_name = {_normal(name): name for name in reversed(pretrained)}
    by_group = {_group(name): name for name in reversed(pretrained)}
    return {
        name: given[name]
        if name in given
        else by_name.get(_normal(name)) or by_group.get(_group(name))
        for name in classes
    }


def _normal(name: str) -> str:
    """Lower case, words apart, the last one in the singular."""
    words = name.lower().replace('-', ' ').replace('_', ' ').split()
    return ' '.join([*words[:-1], _singular(words[-1])]) if words else ''


def _singular(word: str) -> str:
    if word.endswith('ies') and len(word) > 4:
        return f'{word[:-3]}y'
    if word.endswith(('sses', 'shes', 'ches', 'xes', 'uses')):
        return word[:-2]
    if word.endswith('s') and not word.endswith(('ss', 'us')) and len(word) > 3:
        return word[:-1]
    return word


def _group(name: str) -> str:
    normal = _normal(name)
    return _GROUP.get(normal, normal)
