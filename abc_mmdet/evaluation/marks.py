"""Marks of annotations that count neither way, as files have them.

``iscrowd`` is what MMDetection loads, so files that were converted for it have it on all that is
ignored, say why in ``ignored_because``, and repeat a region of no class for every class.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

REASON = 'ignored_because'


def is_marked(annotation: dict, marks: Collection[str]) -> bool:
    """Whether an annotation has any of these marks."""
    return any(annotation.get(mark) for mark in marks)


def uncounted(
    annotations: Sequence[dict], marks: Collection[str], counted: Collection[str] = ()
) -> list[dict]:
    """Annotations with any of these marks count neither way, and are matched by IoU.

    Args:
        annotations: COCO's records.
        marks: fields.
        counted: reasons for which a converted file ignores what counts here.

    Examples:
        >>> uncounted([dict(id=1, ignore=1), dict(id=2, ignore=0)], ['ignore'])
        [{'id': 1, 'ignore': 1, 'iscrowd': 0, 'uncounted': 1}, {'id': 2, 'ignore': 0}]
    """
    return [
        dict(a, iscrowd=0, uncounted=int(a.get(REASON) not in counted))
        if is_marked(a, marks)
        else a
        for a in annotations
    ]


def without_classless(annotations: Sequence[dict], marks: Collection[str]) -> list[dict]:
    """Without marked boxes that stand there for several classes: regions of no class."""
    classes: defaultdict[tuple, set] = defaultdict(set)
    for a in annotations:
        if is_marked(a, marks):
            classes[_place(a)].add(a['category_id'])
    return [a for a in annotations if not is_marked(a, marks) or len(classes[_place(a)]) == 1]


def _place(annotation: dict) -> tuple:
    return annotation['image_id'], tuple(annotation['bbox'])
