"""The public event-camera data sets: class names in the order of their ids, and sensor sizes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EventCatalogueEntry:
    """What cannot be read from the files of a data set.

    Args:
        name: as options and configs say it.
        classes: name of every ``class_id``, in order.
        size: width and height of the sensor, pixels.
        kept: how many of the classes, from the first on, RVT (Gehrig and Scaramuzza, 2023) keeps.

    Examples:
        >>> CATALOGUE['gen1'].classes
        ('car', 'pedestrian')
    """

    name: str
    classes: tuple[str, ...]
    size: tuple[int, int]
    kept: int


ETRAM = EventCatalogueEntry(
    'etram',
    ('pedestrian', 'car', 'bicycle', 'bus', 'motorbike', 'truck', 'tram', 'wheelchair'),
    (1280, 720),
    kept=8,
)
"""eTraM (Verma et al., 2024): traffic monitoring from fixed cameras."""

ONE_MPX = EventCatalogueEntry(
    '1mpx',
    ('pedestrian', 'two wheeler', 'car', 'truck', 'bus', 'traffic sign', 'traffic light'),
    (1280, 720),
    kept=3,
)
"""Prophesee 1 Megapixel Automotive Detection Dataset (Perot et al., 2020)."""

GEN1 = EventCatalogueEntry('gen1', ('car', 'pedestrian'), (304, 240), kept=2)
"""Prophesee Gen1 Automotive Detection Dataset (de Tournemire et al., 2020)."""

CATALOGUE = {entry.name: entry for entry in (ETRAM, ONE_MPX, GEN1)}
