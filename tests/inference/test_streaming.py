"""StreamingInferencer against the test pipeline on converted recordings; live streams."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from mmengine.dataset import pseudo_collate

from abc_mmdet import StreamingInferencer
from abc_mmdet.apis import load_experiment
from abc_mmdet.datasets.events.conversion import ConversionSettings, Source, convert
from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.cut_detections import cut_to_image
from abc_mmdet.inference.detections import WindowDetections
from abc_mmdet.inference.event_sources import EventSource, SourceOptions
from mmdet.registry import DATASETS

from .event_streams import SIZE, Events, moving_block, write_h5, write_model


@pytest.fixture(scope='module')
def model(random_weights, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Config and checkpoint."""
    return write_model(random_weights, tmp_path_factory.mktemp('run'))


@pytest.fixture(scope='module')
def inferencer(model: tuple[str, str]) -> StreamingInferencer:
    return StreamingInferencer(*model, device='cpu')


@pytest.fixture(scope='module')
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_h5(tmp_path_factory.mktemp('recording') / 'block.h5', moving_block(0.62))


@pytest.fixture(scope='module')
def detected(inferencer: StreamingInferencer, recording: Path) -> list[WindowDetections]:
    return list(inferencer(recording))


def same(found: list[WindowDetections], expected: list[WindowDetections]) -> None:
    """Times, boxes, scores and labels, to the last bit."""
    assert [f.time_us for f in found] == [e.time_us for e in expected]
    for one, other in zip(found, expected, strict=True):
        for name in ('boxes', 'scores', 'labels', 'source'):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def in_chunks(events: Events, length: int) -> Iterator[tuple[np.ndarray, ...]]:
    for start in range(0, len(events['t']), length):
        yield tuple(events[name][start : start + length] for name in 'xypt')


@pytest.mark.parametrize('clip_length', [1, 5])
def test_as_the_test_pipeline_on_the_converted_recording(
    inferencer: StreamingInferencer,
    model: tuple[str, str],
    recording: Path,
    detected: list[WindowDetections],
    tmp_path: Path,
    clip_length: int,
) -> None:
    settings = ConversionSettings('etram', inferencer.histogram)
    convert(Source('block', 'test', recording, None), tmp_path, settings)
    options = load_experiment(model[0]).test_dataloader.dataset
    options = {k: v for k, v in options.items() if k not in ('data_root', 'data_prefix')}
    dataset = DATASETS.build(
        dict(
            options,
            data_root=str(tmp_path),
            data_prefix=dict(recordings='test/'),
            clip_length=clip_length,
            every_step=True,
        )
    )
    samples = []
    with torch.no_grad():
        for clip in dataset.stream(0, seed=0):
            samples += inferencer.model.test_step(pseudo_collate([dataset[clip]]))
    assert len(samples) == len(detected) == 12
    steps = dataset.sequences[0].representations(0, 12)
    best = 0.0
    for sample, found, counts in zip(samples, detected, steps, strict=True):
        assert sample.timestamp_us == found.time_us
        np.testing.assert_array_equal(found.source, counts)
        expected = sample.pred_instances
        order = expected.scores.argsort(descending=True, stable=True)
        boxes, inside = cut_to_image(expected.bboxes[order].numpy(), SIZE)
        of_window = dict(
            boxes=boxes[inside],
            scores=expected.scores[order].numpy()[inside],
            labels=expected.labels[order].numpy()[inside],
        )
        assert len(found) == inside.sum() > 3
        best = max(best, float(found.scores[0]))
        if clip_length == 1:
            for name, values in of_window.items():
                np.testing.assert_array_equal(getattr(found, name), values)
        else:  # steps of a clip are multiplied together, which rounds differently: ties turn
            one, other = (
                np.column_stack([boxes, 100 * scores, 1000 * labels])
                for boxes, scores, labels in (
                    (found.boxes, found.scores, found.labels),
                    of_window.values(),
                )
            )
            apart = np.abs(one[:, None] - other).max(axis=2)
            assert max(apart.min(axis=0).max(), apart.min(axis=1).max()) < 0.02
    assert best > 0.2


def test_what_is_said_of_a_window(detected: list[WindowDetections]) -> None:
    begin = moving_block(0.62)['t'][0]
    assert [found.time_us - begin for found in detected] == list(range(50_000, 601_000, 50_000))
    assert [found.number for found in detected] == list(range(12))
    assert detected[4].num_events == 0 and not detected[4].source.any(), 'an empty window is one'
    assert all(found.size == SIZE and found.latency_ms > 0 for found in detected)
    boxes = np.concatenate([found.boxes for found in detected])
    assert boxes.min() >= 0 and boxes[:, 2].max() > SIZE[0] // 2, 'in pixels of the sensor'
    assert boxes[:, 2].max() <= SIZE[0] and boxes[:, 3].max() <= SIZE[1]
    assert detected[0].names == [detected[0].classes[i] for i in detected[0].labels]
    assert detected[0].draw().shape == (SIZE[1], SIZE[0], 3)
    assert 'until 1.050 s, after ' in repr(detected[0])


@pytest.mark.parametrize('length', [101, 5000, 10**6])
def test_live_streams_in_any_chunks(
    inferencer: StreamingInferencer, detected: list[WindowDetections], length: int
) -> None:
    events = moving_block(0.62)
    stream = inferencer(in_chunks(events, length), size=SIZE)
    same(list(stream), detected)
    statistics = stream.statistics
    assert (statistics.windows, statistics.empty, statistics.dropped) == (12, 2, 0)
    assert statistics.events == len(events['t'])
    assert statistics.unused == (events['t'] > detected[-1].time_us).sum() > 0


def test_structured_arrays_and_dictionaries(
    inferencer: StreamingInferencer, detected: list[WindowDetections]
) -> None:
    events = moving_block(0.62)
    rows = np.zeros(len(events['t']), [('t', '<u8'), ('x', '<u2'), ('y', '<u2'), ('on', '?')])
    for name, column in events.items():
        rows['on' if name == 'p' else name] = column
    same(list(inferencer([rows], size=SIZE)), detected)
    seconds = dict(events, t=events['t'] / 1e6)
    same(list(inferencer([seconds], size=SIZE, time_unit='s')), detected)


def test_memory_is_of_one_stream_and_begins_anew_at_a_jump(
    inferencer: StreamingInferencer, detected: list[WindowDetections], recording: Path
) -> None:
    other = moving_block(0.62, begin_us=900_000_000, seed=5)
    alone = list(inferencer([other], size=SIZE))
    # side by side, one window of each in turns
    first, second = iter(inferencer(recording)), iter(inferencer([other], size=SIZE))
    turns = [(next(first), next(second)) for _ in detected]
    same([found for found, _ in turns], detected)
    same([found for _, found in turns], alone)
    # one after the other
    both = {name: np.concatenate([moving_block(0.62)[name], other[name]]) for name in 'xypt'}
    stream = inferencer([both], size=SIZE)
    found = list(stream)
    same(found, [*detected, *alone])
    assert [f.segment for f in found] == [0] * 12 + [1] * 12
    assert stream.statistics.jumps == 1
    # memory is there: the same window after other ones is another thing
    late = {name: column[other['t'] > 900_310_000] for name, column in other.items()}
    fresh = next(iter(inferencer([late], size=SIZE)))
    before = next(f for f in alone if abs(f.time_us - fresh.time_us) < 50_000 and f.num_events)
    assert not np.array_equal(fresh.scores[:5], before.scores[:5])


class Slow:
    """A source of windows, and a network that is slower than it."""

    def __init__(self, inferencer: StreamingInferencer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inferencer = inferencer
        detect = inferencer.detect

        def slow(*arguments: object) -> WindowDetections:
            time.sleep(0.03)
            return detect(*arguments)

        monkeypatch.setattr(inferencer, 'detect', slow)

    def run(self, when_late: str) -> tuple[list[WindowDetections], object]:
        events = moving_block(1.02)
        stream = self.inferencer(
            in_chunks(events, 1000), size=SIZE, step_ms=20, when_late=when_late
        )
        return list(stream), stream.statistics


def test_a_stream_that_is_faster_than_the_network(
    inferencer: StreamingInferencer, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(inferencer, monkeypatch)
    found, statistics = slow.run('process')
    span = np.ptp(moving_block(1.02)['t'])
    assert statistics.windows == len(found) == span // 20_000 == 50
    assert statistics.dropped == 0 and statistics.late == 50
    assert all(f.is_late for f in found)
    assert statistics.median_ms >= 30
    found, statistics = slow.run('skip')
    assert statistics.windows == 50
    assert 20 < statistics.dropped == 50 - len(found)
    numbers = [f.number for f in found]
    assert numbers == sorted(set(numbers)) and numbers[-1] == 49, 'the newest one is seen'
    with pytest.raises(UserError, match="when_late='wait': give one of process, skip"):
        inferencer([], size=SIZE, when_late='wait')


def test_a_source_that_fails_or_is_left(inferencer: StreamingInferencer) -> None:
    def failing() -> Iterator[tuple]:
        yield from in_chunks(moving_block(0.32), 500)
        raise ConnectionError('the camera is gone')

    found = []
    with pytest.raises(ConnectionError, match='the camera is gone'):
        for detections in inferencer(failing(), size=SIZE):
            found.append(detections)
    assert len(found) >= 5, 'what came before is there'

    def endless() -> Iterator[tuple]:
        for second in range(10**6):
            yield from in_chunks(moving_block(0.2, begin_us=second * 200_000), 500)

    before = threading.active_count()
    for _ in inferencer(endless(), size=SIZE):
        break
    for _ in range(100):
        if threading.active_count() == before:
            break
        time.sleep(0.05)
    assert threading.active_count() == before


def test_memory_does_not_grow_with_the_recording(
    inferencer: StreamingInferencer, tmp_path: Path
) -> None:
    """Of the process, while 130 MB of events go through it."""
    number = 10_000_000
    t = np.arange(number, dtype='i8') // 2
    x = (np.arange(number) % SIZE[0]).astype('u2')
    events = dict(x=x, y=x // 2, p=(x % 2).astype('u1'), t=t)
    path = write_h5(tmp_path / 'long.h5', events)
    del t, x, events
    assert path.stat().st_size > 120_000_000
    process, used = psutil.Process(), []
    source = EventSource(path, inferencer.histogram, SourceOptions())
    for step in source:
        assert step.representation(inferencer.histogram, SIZE).any()
        used.append(process.memory_info().rss)
    assert len(used) == 99
    # two of the ten chunks are known at 22
    assert max(used[22:]) - max(used[:22]) < 25_000_000


def test_mistakes(inferencer: StreamingInferencer, model, tmp_path: Path) -> None:
    with pytest.raises(UserError, match='how large its sensor is: give size'):
        inferencer([moving_block(0.1)])
    with pytest.raises(UserError, match=r'does not say .*--size WxH'):
        inferencer(write_h5(tmp_path / 'a.h5', moving_block(0.1), None))
    with pytest.raises(UserError, match=r'got ndarray of shape \(5, 4\).* four arrays'):
        list(inferencer([np.zeros((5, 4))], size=SIZE))
    images = Path(__file__).parents[2] / 'configs/small/abc_synthetic.py'
    with pytest.raises(UserError, match=r'abc_synthetic\.py: its test pipeline .*\.Detector'):
        StreamingInferencer(images, model[1])
    config = load_experiment(model[0], {'test_dataloader.dataset.representation': 'voxels'})
    with pytest.raises(UserError, match="representation='voxels'"):
        StreamingInferencer(config, model[1])
