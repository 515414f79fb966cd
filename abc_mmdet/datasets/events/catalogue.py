"""The public event-camera data sets: class names in the order of their ids, sensors, rates.

What each is, its licence and where each fact is from: docs/events.md.
"""

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
        window_ms: length of the windows that events are counted in, if nothing else is asked for.
        step_ms: from one window to the next, likewise.
        frame_ms: from one labelled frame to the next, aimed at; a multiple of ``step_ms``.
        first_frame_ms: labels before this time of a recording are left out.

    Examples:
        >>> CATALOGUE['gen1'].classes
        ('car', 'pedestrian')
        >>> CATALOGUE['pedro'].size
        (346, 260)
    """

    name: str
    classes: tuple[str, ...]
    size: tuple[int, int]
    kept: int
    window_ms: int = 50
    step_ms: int = 50
    frame_ms: int = 100
    first_frame_ms: int = 100


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

DSEC_DETECTION = EventCatalogueEntry(
    'dsec-detection',
    ('pedestrian', 'rider', 'car', 'bus', 'truck', 'bicycle', 'motorcycle', 'train'),
    (640, 480),
    kept=8,
    frame_ms=50,  # every image of its frame camera is labelled, 20 a second
)
"""DSEC-Detection (Gehrig and Scaramuzza, 2024): driving, on DSEC (Gehrig et al., 2021)."""

PEDRO = EventCatalogueEntry(
    'pedro',
    ('person',),
    (346, 260),
    kept=1,
    window_ms=40,  # of one sample; the next one begins where it ends
    step_ms=40,
    frame_ms=40,
    first_frame_ms=0,  # a sample has all events of its window
)
"""PEDRo (Boretti et al., 2023): people, from a moving camera."""

FRED = EventCatalogueEntry('fred', ('drone',), (1280, 720), kept=1)
"""FRED (Magrini et al., 2025): flying drones. Its class names are models of them."""

EV_UAV = EventCatalogueEntry(
    'ev-uav',
    ('uav',),
    (346, 260),
    kept=1,
    frame_ms=50,
    first_frame_ms=50,
)
"""EV-UAV (Chen et al., 2025): drones of a few pixels. Its labels are of events, not boxes."""

CATALOGUE = {
    entry.name: entry for entry in (ETRAM, ONE_MPX, GEN1, DSEC_DETECTION, PEDRO, FRED, EV_UAV)
}
