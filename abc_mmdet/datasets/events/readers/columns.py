"""What the columns of an array of events are, and in which unit of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from abc_mmdet.errors import UserError

from .reader import Columns

NAMES = dict(
    x=('x', 'xs'),
    y=('y', 'ys'),
    p=('p', 'ps', 'pol', 'polarity', 'polarities', 'on'),
    t=('t', 'ts', 'time', 'times', 'timestamp', 'timestamps'),
)
"""Names under which columns are found, in upper case too."""

TIME_UNITS = {'us': 1.0, 'ms': 1e3, 's': 1e6, 'ns': 1e-3}
"""Microseconds of each."""

_RATES = (1e3, 1e9)
"""Events per second that a camera can send: noise of a still scene, the largest bus."""


def column_names(names: Any) -> dict[str, str] | None:
    """Which of some names is which column; None if one is missing or there twice.

    Examples:
        >>> column_names(['timestamp', 'x', 'y', 'polarity'])
        {'x': 'x', 'y': 'y', 'p': 'polarity', 't': 'timestamp'}
        >>> column_names(['x', 'y', 't']) is None
        True
    """
    found = {}
    for column, known in NAMES.items():
        here = [name for name in names if str(name).lower() in known]
        if len(here) != 1:
            return None
        found[column] = here[0]
    return found


def columns_by_place(rows: np.ndarray) -> list[str] | None:
    """Which column of ``(N, 4)`` is which, by what stands in them: ``['t', 'x', 'y', 'p']``.

    Polarities are 0 and 1 or -1 and 1; times do not decrease but for jitter, and reach further
    than pixels; x stands before y. None where that is not clear, as of few events.

    Examples:
        >>> rows = np.array([[100, 5, 9, 1], [170, 60, 2, 0], [5000, 7, 3, 1]])
        >>> columns_by_place(rows)
        ['t', 'x', 'y', 'p']
    """
    if len(rows) < 3:
        return None
    columns = range(4)
    polarity = [i for i in columns if np.isin(rows[:, i], (-1, 0, 1)).all()]
    steps = np.diff(rows.astype(np.float64), axis=0)
    forward = [i for i in columns if (steps[:, i] >= 0).mean() > 0.95 and steps[:, i].any()]
    time = [i for i in forward if i not in polarity]
    if len(polarity) != 1 or len(time) != 1:
        return None
    names = [''] * 4
    names[polarity[0]], names[time[0]] = 'p', 't'
    first, second = (i for i in columns if not names[i])
    names[first], names[second] = 'x', 'y'
    return names


def check_unit(t: np.ndarray, where: str) -> str:
    """The unit that times are in by convention: integers microseconds, others seconds.

    Args:
        t: times of the first events.
        where: the file and column, for messages.

    Raises:
        UserError: in that unit, no camera could have sent these events.
    """
    unit = 'us' if t.dtype.kind in 'iu' else 's'
    span = float(t[-1]) - float(t[0]) if len(t) else 0.0
    if len(t) < 2 or span <= 0:
        return unit
    rates = {name: len(t) / (span * us * 1e-6) for name, us in TIME_UNITS.items()}
    if not _RATES[0] <= rates[unit] <= _RATES[1]:
        others = ', '.join(f'{name}: {rate:,.3g}' for name, rate in rates.items())
        raise UserError(
            f'{where}: the unit of time is not clear. Events per second would be {others}. Say '
            'which is right with --time-unit (time_unit in Python).'
        )
    return unit


def to_microseconds(t: np.ndarray, unit: str, where: str) -> np.ndarray:
    """Times as int64, µs.

    Raises:
        UserError: an unknown unit, or times that are no numbers of this range.
    """
    if unit not in TIME_UNITS:
        raise UserError(f'time_unit={unit!r}: give one of {", ".join(TIME_UNITS)}.')
    t = np.asarray(t)
    if t.dtype.kind not in 'iuf':
        raise UserError(f'{where}: times are {t.dtype}, not numbers.')
    if t.dtype.kind in 'iu' and unit in ('us', 'ns'):
        if len(t) and int(t.max()) > np.iinfo(np.int64).max:
            raise UserError(f'{where}: a time of {int(t.max())} {unit}.')
        return t.astype(np.int64) // (1 if unit == 'us' else 1000)
    scaled = t.astype(np.float64) * TIME_UNITS[unit]
    if not (np.abs(scaled) < 2.0**62).all():  # false for NaN, too
        raise UserError(f'{where}: there are times that are no numbers, or too large ones.')
    return np.rint(scaled).astype(np.int64)


def check_pixels(values: np.ndarray, name: str, where: str) -> np.ndarray:
    """Coordinates as integers.

    Raises:
        UserError: they have fractions, as rectified ones do, or are no numbers.
    """
    values = np.asarray(values)
    if values.dtype.kind in 'iu':
        return values
    if values.dtype.kind != 'f' or not (values == np.rint(values)).all():
        raise UserError(
            f'{where}: {name} is no whole pixel everywhere. Rectified or otherwise moved events '
            'are not read; give those of the sensor.'
        )
    return values.astype(np.int64)


def check_polarity(values: np.ndarray, where: str) -> np.ndarray:
    """Polarities as they are.

    Raises:
        UserError: they are no numbers.
    """
    values = np.asarray(values)
    if values.dtype.kind not in 'iubf':
        raise UserError(f'{where}: polarities are {values.dtype}, not numbers.')
    return values


def on_sensor(events: Columns, size: tuple[int, int], where: str = 'events') -> Columns:
    """Those events that are inside of a sensor, with polarities 0 and 1.

    Args:
        events: as they were read.
        size: width and height of the sensor, pixels.
        where: for messages.

    Raises:
        UserError: polarities are no numbers.

    Examples:
        >>> events = Columns(*np.array([[3, 640], [4, 4], [-1, 1], [50, 60]]))
        >>> [column.tolist() for column in on_sensor(events, (640, 480))]
        [[3], [4], [0], [50]]
    """
    width, height = size
    events = events._replace(p=(check_polarity(events.p, where) > 0).astype(np.uint8))
    inside = (events.x >= 0) & (events.x < width) & (events.y >= 0) & (events.y < height)
    return events if inside.all() else Columns(*(column[inside] for column in events))


def columns_of(chunk: Any, time_unit: str = 'us', where: str = 'events') -> Columns:
    """A chunk of a live stream as columns.

    Args:
        chunk: a structured array or a mapping with names as :data:`NAMES` has them, or four arrays
            ``(x, y, p, t)``.
        time_unit: of its times.
        where: for messages.

    Raises:
        UserError: anything else, as an array ``(N, 4)`` whose order nobody knows, columns of
            different lengths, or times with fractions without a unit of their own.

    Examples:
        >>> columns_of(([3], [4], [1], [50])).t
        array([50])
    """
    names = getattr(getattr(chunk, 'dtype', None), 'names', None)
    if names is None and isinstance(chunk, Mapping):
        names = list(chunk)
    if names is not None:
        found = column_names(names)
        if found is None:
            raise UserError(f'{where} have the fields {list(names)}, not x, y, p and t.')
        x, y, p, t = (np.asarray(chunk[found[name]]) for name in 'xypt')
    elif isinstance(chunk, (tuple, list)) and len(chunk) == 4:
        x, y, p, t = (np.atleast_1d(np.asarray(column)) for column in chunk)
    else:
        what = f'{type(chunk).__name__} of shape {getattr(chunk, "shape", None)}'
        raise UserError(
            f'{where}: got {what}. Give a structured array or a mapping with x, y, p and t, or the '
            'four arrays (x, y, p, t).'
        )
    if not (x.ndim == y.ndim == p.ndim == t.ndim == 1 and len(x) == len(y) == len(p) == len(t)):
        shapes = ', '.join(str(column.shape) for column in (x, y, p, t))
        raise UserError(f'{where}: x, y, p and t have the shapes {shapes}: give equal lengths.')
    if not len(t):
        return Columns(*(np.empty(0, np.int64) for _ in 'xypt'))
    if t.dtype.kind == 'f' and time_unit == 'us' and not (t == np.rint(t)).all():
        raise UserError(f'{where}: times have fractions. Say their unit with time_unit.')
    return Columns(
        check_pixels(x, 'x', where),
        check_pixels(y, 'y', where),
        check_polarity(p, where),
        to_microseconds(t, time_unit, where),
    )
