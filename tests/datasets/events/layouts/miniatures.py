"""Miniatures of published data sets, written as their own files are, with few events to count."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

DSEC_OFFSET = 49_599_300_472
DSEC_TRACK = np.dtype(
    [
        *[('t', '<u8'), ('x', '<f8'), ('y', '<f8'), ('h', '<f8'), ('w', '<f8')],
        *[('class_id', 'u1'), ('class_confidence', '<f8'), ('track_id', '<u8')],
    ]
)
DSEC_EVENTS = [
    *[(10_000, 1, 1, 1), (60_000, 10, 20, 1), (99_999, 11, 20, 0), (100_000, 10, 20, 1)],
    *[(149_000, 5, 6, 0), (149_000, 5, 6, 0), (149_001, 5, 6, 1), (231_000, 639, 479, 1)],
]
"""t, x, y and p: 3 in the window that ends at 100 ms, 4 at 150 ms (one of them again), 0 at 200."""
DSEC_TRACKS = [
    (50_000, 6, 3, 3, 9, 9),  # t, class, x, y, w, h
    *[(100_000, 0, -3, 4, 10, 8), (100_000, 2, 500, 300, 50, 40)],
    *[(200_000, 7, 700, 10, 30, 30), (200_000, 5, 630, 470, 30, 30)],
]
"""One too early, one beyond the left border, one outside and one in a corner."""
DSEC_IMAGES = [-20, 50_000, 100_000, 150_000, 200_000]


def write_dsec(
    sequence: Path,
    tracks: Sequence[tuple] = DSEC_TRACKS,
    images: Sequence[int] | None = DSEC_IMAGES,
    offset: int = DSEC_OFFSET,
) -> Path:
    """A sequence of DSEC-Detection; times are those of the events' clock."""
    for place in ('events/left', 'object_detections/left', 'images'):
        (sequence / place).mkdir(parents=True, exist_ok=True)
    t, x, y, p = np.array(DSEC_EVENTS).T
    columns = dict(x=(x, '<u2'), y=(y, '<u2'), p=(p, 'u1'), t=(t, '<u4'))
    with h5py.File(sequence / 'events/left/events.h5', 'w') as file:
        for name, (column, kind) in columns.items():
            data = column.astype(kind)
            file.create_dataset(f'events/{name}', data=data, **hdf5plugin.Blosc(cname='zstd'))
        file['t_offset'] = np.int64(offset)
        starts = np.arange(int(t[-1]) // 1000 + 1) * 1000
        file['ms_to_idx'] = np.searchsorted(t, starts).astype('<u8')
    rows = np.zeros(len(tracks), DSEC_TRACK)
    for name, column in zip(('t', 'class_id', 'x', 'y', 'w', 'h'), np.array(tracks).T, strict=True):
        rows[name] = column + (offset if name == 't' else 0)
    rows['track_id'] = np.arange(len(rows))
    np.save(sequence / 'object_detections/left/tracks.npy', rows)
    if images is not None:
        lines = ''.join(f'{time + offset}\n' for time in images)
        (sequence / 'images/timestamps.txt').write_text(lines)
    return sequence


PEDRO_START = 1_672_932_747_906_204
PEDRO_SAMPLES = {  # the number in its name, events and boxes
    9: ([(0, 5, 6, 1), (39_990, 7, 8, 0)], [(28, 85, 152, 260)]),
    10: ([(40_000, 1, 2, 1), (60_000, 1, 2, 1), (80_000, 345, 259, 0)], []),
    3: ([(400_000, 3, 3, 1), (440_000, 3, 3, 0)], [(300, 100, 350, 240), (0, 0, 10, 20)]),
}
"""The first two follow each other, the last one comes later."""

_XML = """<annotation>
	<folder>frames</folder>
	<filename>frame{number:07}.jpg</filename>
	<size><width>346</width><height>260</height><depth>1</depth></size>
	<segmented>0</segmented>{objects}
</annotation>
"""
_OBJECT = """
	<object>
		<name>{name}</name>
		<pose>Unspecified</pose>
		<difficult>0</difficult>
		<bndbox>
			<xmin>{0}</xmin>
			<ymin>{1}</ymin>
			<xmax>{2}</xmax>
			<ymax>{3}</ymax>
		</bndbox>
	</object>"""


def write_pedro(root: Path, split: str = 'val', name: str = 'person') -> Path:
    """A split of PEDRo."""
    for kind in ('numpy', 'xml'):
        (root / kind / split).mkdir(parents=True, exist_ok=True)
    for number, (events, boxes) in PEDRO_SAMPLES.items():
        rows = np.array(events, np.int64)
        rows[:, 0] += PEDRO_START
        np.save(root / 'numpy' / split / f'frame{number:07}.npy', rows)
        objects = ''.join(_OBJECT.format(*box, name=name) for box in boxes)
        text = _XML.format(number=number, objects=objects)
        (root / 'xml' / split / f'frame{number:07}.xml').write_text(text)
    return root


FRED_EVENT = np.dtype(
    dict(
        names=['x', 'y', 'p', 't'],
        formats=['<u2', '<u2', '<i2', '<i8'],
        offsets=[0, 2, 4, 8],
        itemsize=16,
    )
)
FRED_EVENTS = [
    *[(500, 300, 1, 1_000), (500, 300, 1, 83_332), (501, 301, 0, 100_000)],
    *[(1279, 719, 1, 133_332), (4, 5, 0, 133_333), (4, 5, 0, 233_331), (4, 5, 1, 240_000)],
]
"""x, y, p and t: 1 in the window that ends at 83.332 ms, 3 at 133.332 and 2 at 183.331
(one of each again), 1 at 233.331."""


def write_fred(sequence: Path, lines: Sequence[str] | None = None, shift_us: int = 0) -> Path:
    """A recording of FRED, 8 labels at 30 Hz; the last boxes leave the frame."""
    (sequence / 'Event').mkdir(parents=True, exist_ok=True)
    rows = np.array([(x, y, p, t + shift_us) for x, y, p, t in FRED_EVENTS], FRED_EVENT)
    with h5py.File(sequence / 'Event' / 'events.hdf5', 'w') as file:
        file.create_dataset('CD/events', data=rows, chunks=(4,), compression='gzip')
    if lines is None:
        lines = [
            f'{i * 0.033333:.6f}: {490.0 + i}, 290.0, {530.0 + i}, 320.0, 1, DJI Mini 2'
            for i in range(1, 8)
        ]
        lines += ['0.233331: 1270.0, -5.0, 1290.0, 10.0, 2, DarwinFPV cineape20 ']
    (sequence / 'coordinates.txt').write_text('\n'.join(lines) + '\n')
    return sequence


EV_UAV_EVENTS = [  # x, y, t in ms, p, label, name
    *[(100, 50, 10, 1, 1, 5), (3, 4, 30, 0, 0, 0), (103, 52, 49, 1, 1, 5), (104, 52, 50, 0, 1, 5)],
    *[(106, 51, 80, 1, 1, 5), (20, 30, 90, 1, 1, 2), (200, 200, 120, 1, 0, 0)],
]
"""In the windows that end at 50, 100 and 150 ms are 4, 3 (one of them again) and 1."""
EV_UAV_BOXES = {
    50_000: [(100, 50, 5, 3, 5)],  # x, y, w, h and number of the target
    100_000: [(20, 30, 1, 1, 2), (104, 51, 3, 2, 5)],
    150_000: [],
}


def write_ev_uav(path: Path, keys: Sequence[str] = ('ev', 'ev_loc', 'evs_norm')) -> Path:
    """A recording of EV-UAV with these of its arrays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.array(EV_UAV_EVENTS, np.float64)
    kinds = [('x', '<f8'), ('y', '<f8'), ('t', '<f8'), ('p', '<f8'), ('label', '<f8')]
    arrays = dict(
        ev=np.array([tuple(row) for row in EV_UAV_EVENTS], [*kinds, ('name', '<f8')]),
        ev_loc=rows[:, :3],
        evs_norm=rows / [346, 260, 8000, 1, 1, 1],
    )
    np.savez(path, **{key: arrays[key] for key in keys})
    return path
