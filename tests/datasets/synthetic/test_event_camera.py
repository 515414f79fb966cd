"""The event camera against a pixel-by-pixel account of what it should do."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from abc_mmdet.datasets.synthetic import TrafficScene
from abc_mmdet.datasets.synthetic.event_camera import EVENT, EventCamera, EventSensor, video

IDEAL = EventSensor(mismatch=0.0, noise_hz=0.0, hot_share=0.0, refractory_us=0)
NEAR = 1e-3  # thresholds; nearer to one than this, float32 and float64 may decide differently


def ideal(**changes: float) -> EventSensor:
    return EventSensor(**{**IDEAL.__dict__, **changes})


def camera_of(sensor: EventSensor, size: tuple[int, int], seed: int = 0) -> EventCamera:
    return EventCamera(sensor, size, np.random.default_rng(seed))


def one_pixel_after_another(
    images: np.ndarray, times: list[int], levels: np.ndarray, sensor: EventSensor
) -> list[list[tuple[float, int, int, int]]]:
    """Time, y, x and polarity of the events that each image but the first adds."""
    num, height, width = images.shape
    found: list[list] = [[] for _ in range(num - 1)]
    for y in range(height):
        for x in range(width):
            level, last = float(levels[y, x]), -math.inf
            for i in range(1, num):
                old = math.log(int(images[i - 1, y, x]) + sensor.dark)
                new = math.log(int(images[i, y, x]) + sensor.dark)
                away = abs(new - level) / sensor.threshold
                assume(abs(away - round(away)) > NEAR or round(away) == 0)
                while abs(new - level) >= sensor.threshold:
                    sign = 1 if new > level else -1
                    level += sign * sensor.threshold
                    part = (level - old) / (new - old)
                    time = times[i - 1] + part * (times[i] - times[i - 1])
                    rest = time - last
                    assume(abs(rest - sensor.refractory_us) > 3)
                    if rest > sensor.refractory_us:
                        found[i - 1].append((time, y, x, int(sign > 0)))
                        last = time
    return found


@settings(deadline=None)
@given(st.data())
def test_events_are_those_of_a_plain_loop(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    num = data.draw(st.integers(2, 5))
    images = data.draw(arrays(np.uint8, (num, height, width)))
    gaps = data.draw(st.lists(st.integers(50, 20_000), min_size=num, max_size=num))
    times = np.cumsum(gaps).tolist()
    sensor = ideal(
        threshold=data.draw(st.floats(0.08, 0.9)),
        dark=data.draw(st.floats(1, 30)),
        refractory_us=data.draw(st.sampled_from([0, 300, 5000])),
    )
    camera = camera_of(sensor, (width, height), data.draw(st.integers(0, 2**31)))
    assert len(camera.see(images[0], times[0])) == 0
    levels = camera._level.reshape(height, width).copy()
    start = np.log(images[0] + sensor.dark)
    assert (np.abs(levels - start) <= 0.5 * sensor.threshold + 1e-5).all()
    expected = one_pixel_after_another(images, times, levels, sensor)
    for image, time, wanted in zip(images[1:], times[1:], expected, strict=True):
        events = camera.see(image, time)
        assert events.dtype == EVENT
        # times differ by rounding, so that only the order within a pixel is the same
        ours = sorted((int(e['y']), int(e['x']), int(e['t']), int(e['p'])) for e in events)
        theirs = sorted((y, x, t, p) for t, y, x, p in wanted)
        assert [(y, x, p) for y, x, _, p in ours] == [(y, x, p) for y, x, _, p in theirs]
        for (*_, t, _), (*_, exact, _) in zip(ours, theirs, strict=True):
            assert abs(t - exact) <= 2


def test_brighter_is_positive_and_times_follow_the_logarithm() -> None:
    camera = camera_of(ideal(threshold=0.1, dark=1.0), (2, 1))
    image = np.array([[20, 200]], np.uint8)
    camera.see(image, 1000)
    events = camera.see(image[:, ::-1], 11_000)
    for x, polarity in ((0, 1), (1, 0)):
        own = events[events['x'] == x]
        assert (own['p'] == polarity).all()
        assert abs(len(own) - math.log(201 / 21) / 0.1) <= 1
        # the logarithm changes evenly
        assert np.ptp(np.diff(own['t'])) <= 2
        assert np.diff(own['t'])[0] == pytest.approx(10_000 * 0.1 / math.log(201 / 21), abs=2)
    assert len(camera.see(image[:, ::-1], 21_000)) == 0, 'nothing has changed'


def test_colour_counts_as_brightness() -> None:
    grey = np.full((4, 4, 3), 30, np.uint8)
    green, blue = grey.copy(), grey.copy()
    green[..., 1], blue[..., 0] = 255, 255
    counts = []
    for image in (green, blue):
        camera = camera_of(ideal(threshold=0.1), (4, 4))
        camera.see(grey, 0)
        counts.append(len(camera.see(image, 10_000)))
    assert counts[0] > 2 * counts[1] > 0


def test_a_resting_pixel_is_silent() -> None:
    bright, dark = np.full((6, 6), 255, np.uint8), np.zeros((6, 6), np.uint8)
    rates = []
    for refractory in (0, 400, 1000):
        camera = camera_of(ideal(threshold=0.1, refractory_us=refractory), (6, 6))
        camera.see(dark, 0)
        events = np.concatenate([camera.see((bright, dark)[i % 2], 5000 * i) for i in range(1, 6)])
        for y in range(6):
            for x in range(6):
                own = events[(events['x'] == x) & (events['y'] == y)]['t']
                assert np.diff(own).min() >= refractory
        rates.append(len(events))
    assert rates[0] > rates[1] > rates[2] > 0


def test_noise_comes_at_its_rate_from_everywhere() -> None:
    sensor = ideal(noise_hz=3.0)
    camera = camera_of(sensor, (40, 30))
    image = np.full((30, 40), 100, np.uint8)
    camera.see(image, 0)
    events = np.concatenate([camera.see(image, 20_000 * i) for i in range(1, 101)])
    expected = 3.0 * 2.0 * 1200
    assert abs(len(events) - expected) < 5 * math.sqrt(expected)
    assert abs(events['p'].mean() - 0.5) < 5 * 0.5 / math.sqrt(expected)
    per_pixel = np.bincount(events['y'].astype(int) * 40 + events['x'], minlength=1200)
    assert per_pixel.var() == pytest.approx(6.0, rel=0.25), 'Poisson, as the mean'
    quarters = np.histogram(events['t'] % 20_000, 4, (0, 20_000))[0]
    assert quarters == pytest.approx(expected / 4, rel=0.15)


def test_hot_pixels() -> None:
    sensor = ideal(hot_share=0.02, hot_hz=500.0)
    camera = camera_of(sensor, (50, 40))
    image = np.full((40, 50), 100, np.uint8)
    camera.see(image, 0)
    events = camera.see(image, 1_000_000)
    counts = np.bincount(events['y'].astype(int) * 50 + events['x'], minlength=2000)
    hot = counts[counts > 0]
    assert 15 <= len(hot) <= 70
    assert (np.abs(hot - 500) < 5 * math.sqrt(500)).all()


def test_thresholds_differ_among_pixels() -> None:
    dark, bright = np.zeros((20, 20), np.uint8), np.full((20, 20), 255, np.uint8)
    spread = []
    for mismatch in (0.0, 0.2):
        camera = camera_of(ideal(threshold=0.05, mismatch=mismatch), (20, 20))
        camera.see(dark, 0)
        events = camera.see(bright, 10_000)
        counts = np.bincount(events['y'].astype(int) * 20 + events['x'], minlength=400)
        spread.append(counts.std() / counts.mean())
    assert spread[0] < 0.02 and 0.1 < spread[1] < 0.4


def test_a_image_that_is_no_later_is_refused() -> None:
    camera = camera_of(IDEAL, (4, 4))
    camera.see(np.zeros((4, 4), np.uint8), 500)
    with pytest.raises(ValueError, match='500'):
        camera.see(np.zeros((4, 4), np.uint8), 500)


def take(seed: int) -> list[tuple[int, np.ndarray]]:
    scene = TrafficScene(3, (96, 64))
    sensor = EventSensor(noise_hz=2.0, hot_share=1e-3)
    frames = video(scene, 5.0, 0.1, 100, sensor, np.random.default_rng(seed))
    return [(t, events) for t, events, _ in frames]


def test_a_video_is_in_order_and_depends_on_the_seed_alone() -> None:
    frames = take(1)
    assert [t for t, _ in frames] == [10_000 * i for i in range(11)]
    assert len(frames[0][1]) == 0
    for (begin, _), (end, events) in pairwise(frames):
        assert len(events) and events['t'].min() >= begin and events['t'].max() <= end
        assert (np.diff(events['t']) >= 0).all()
        assert events['x'].max() < 96 and events['y'].max() < 64 and events['p'].max() == 1
    again = take(1)
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(frames, again, strict=True))
    assert not np.array_equal(frames[5][1], take(2)[5][1])


def test_moving_objects_cause_events_where_they_are() -> None:
    scene = TrafficScene(3, (320, 192))
    frames = list(video(scene, 5.0, 0.2, 60, IDEAL, np.random.default_rng(0)))
    near = np.zeros((192, 320), bool)
    for _, _, sprites in frames:
        for sprite in sprites:
            for patch in sprite.patches:
                x1, y1 = np.clip(patch.outline.min(0).astype(int) - 3, 0, None)
                x2, y2 = np.clip(patch.outline.max(0).astype(int) + 4, 0, None)
                near[y1:y2, x1:x2] = True
    events = np.concatenate([events for _, events, _ in frames])
    assert len(events) > 1000
    assert near[events['y'], events['x']].all(), 'without noise the backdrop is silent'
    assert near.mean() < 0.7, 'and there is backdrop to see'
