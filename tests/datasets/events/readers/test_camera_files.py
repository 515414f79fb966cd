"""Words of EVT2 and EVT3 put together from Prophesee's description; AEDAT4; files cut off."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from abc_mmdet.datasets.events.readers import open_reader
from abc_mmdet.errors import UserError

faery = pytest.importorskip('faery', reason='.raw, .dat and .aedat4 need the extra `events`')
HEAD = '% evt {0}.0\n% format EVT{0};height=48;width=640\n% geometry 640x48\n% end\n'


def read(path: Path) -> list[tuple]:
    reader, size = open_reader(path)
    chunks = list(reader.chunks(size))
    return [tuple(int(v) for v in event) for c in chunks for event in zip(*c, strict=True)]


def write(path: Path, version: int, words: list[int]) -> Path:
    kind = '<u2' if version == 3 else '<u4'
    path.write_bytes(HEAD.format(version).encode() + np.array(words, kind).tobytes())
    return path


class TestEVT3:
    """16 bits: 4 of type, 12 of content."""

    def high(self, value: int) -> int:
        return 0x8000 | value

    def low(self, value: int) -> int:
        return 0x6000 | value

    def x(self, value: int, p: int, kind: int = 0x2000) -> int:
        return kind | p << 11 | value

    def test_single_events_and_vectors(self, tmp_path: Path) -> None:
        words = [
            *(self.high(1), self.low(5), 10, self.x(20, 1), self.x(21, 0)),
            *(self.low(9), 11, self.x(100, 1, 0x3000), 0x4000 | 0b100000000001),
            *(0x4000 | 0b1, 0x5000 | 0b10000001),
            *(self.x(300, 0, 0x3000), 0x5000 | 0b10),
            *(0xA000 | 1, 0xE000 | 2, 0x7000 | 3, 0xF000 | 4),  # triggers, others, continued
            *(self.low(10), self.x(5, 1)),
        ]
        time = 4096
        assert read(write(tmp_path / 'a.raw', 3, words)) == [
            *((20, 10, 1, time + 5), (21, 10, 0, time + 5)),
            *((100, 11, 1, time + 9), (111, 11, 1, time + 9), (112, 11, 1, time + 9)),
            *((124, 11, 1, time + 9), (131, 11, 1, time + 9), (301, 11, 0, time + 9)),
            (5, 11, 1, time + 10),
        ]

    def test_the_clock_of_24_bits_goes_on(self, tmp_path: Path) -> None:
        words = [0]
        for high in (4090, 4095, 0, 1):
            words += [self.high(high), self.low(7), self.x(3, 0)]
        times = [time for *_, time in read(write(tmp_path / 'a.raw', 3, words))]
        assert times == [high * 4096 + 7 for high in (4090, 4095, 4096, 4097)]


def test_evt2(tmp_path: Path) -> None:
    """32 bits: type, 6 lower bits of time, x, y; the 28 upper bits in words of their own."""

    def event(p: int, time: int, x: int, y: int) -> int:
        return p << 28 | time << 22 | x << 11 | y

    words = [
        *(0x80000000 | 7, event(1, 3, 20, 30), event(0, 63, 639, 47)),
        *(0xA0000000 | 5, 0x80000000 | 8, event(1, 0, 1, 2)),
    ]
    assert read(write(tmp_path / 'a.raw', 2, words)) == [
        *((20, 30, 1, 7 * 64 + 3), (639, 47, 0, 7 * 64 + 63)),
        (1, 2, 1, 8 * 64),
    ]


class TestCutOff:
    @pytest.mark.parametrize(('version', 'rest'), [(2, 3), (3, 1)])
    def test_raw(self, tmp_path: Path, version: int, rest: int) -> None:
        words = {
            2: [0x80000007, 1 << 28 | 5 << 11 | 6],
            3: [0x8001, 0x6005, 10, 0x2000 | 20],
        }[version]
        path = write(tmp_path / 'a.raw', version, words)
        (whole,) = read(path)
        assert open_reader(path)[0].remarks == []
        path.write_bytes(path.read_bytes() + b'\x01' * rest)
        assert read(path) == [whole], 'what is whole is read'
        (remark,) = open_reader(path)[0].remarks
        assert remark == f'{path} is cut off: {rest} bytes of another event are left at its end'

    def test_dat(self, camera_recordings: list[Path], tmp_path: Path) -> None:
        path = tmp_path / 'a.dat'
        stream = faery.events_stream_from_file(
            camera_recordings[0], dimensions_fallback=(1280, 720)
        )
        stream.to_file(path)
        assert open_reader(path)[0].remarks == []
        path.write_bytes(path.read_bytes()[:-3])
        (remark,) = open_reader(path)[0].remarks
        assert 'is cut off: 5 bytes of another event' in remark


@pytest.mark.parametrize('compression', ['lz4', 'zstd'])
def test_aedat4(
    camera_recordings: list[Path], tmp_path: Path, compression: str, check_sums: Callable
) -> None:
    path = next(p for p in camera_recordings if p.parent.name == 'evt3_vga_2s')
    expected = json.loads((path.parent / 'expected.json').read_text())
    written = tmp_path / 'a.aedat4'
    faery.events_stream_from_file(path).to_file(written, compression=(compression, 1))
    reader, size = open_reader(written)
    assert size == (expected['width'], expected['height'])
    check_sums(expected, list(reader.chunks(size)))
    # another decoder, where it is installed
    aedat = pytest.importorskip('aedat')
    packets = [p['events'] for p in aedat.Decoder(str(written)) if 'events' in p]
    t, x, y, on = (np.concatenate([p[name] for p in packets]) for name in ('t', 'x', 'y', 'on'))
    found = [np.concatenate(column) for column in zip(*reader.chunks(size), strict=True)]
    for ours, theirs in zip(found, (x, y, on, t), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_damaged_aedat4(camera_recordings: list[Path], tmp_path: Path) -> None:
    path = tmp_path / 'a.aedat4'
    faery.events_stream_from_file(camera_recordings[-1]).to_file(path, compression=('lz4', 1))
    content = path.read_bytes()
    path.write_bytes(content[:-100_000])
    reader, size = open_reader(path)
    number = 0
    with pytest.raises(UserError, match=r'a\.aedat4 cannot be read: it is damaged'):
        for chunk in reader.chunks(size):
            number += len(chunk.t)
    assert number > 100_000, 'what lies before is read'
    path.write_bytes(b'#!AER-DAT3.1\r\n' + content[20:])
    with pytest.raises(UserError, match=r'a\.aedat4 has no header'):
        open_reader(path)
