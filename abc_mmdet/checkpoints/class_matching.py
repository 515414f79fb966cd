"""Which class of a pretrained detector each class of a data set is, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from abc_mmdet.errors import UserError

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

    Example:
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
