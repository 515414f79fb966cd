"""The scene: what is drawn, and what is said about it."""

import numpy as np
import pytest

from abc_mmdet.datasets.synthetic import CLASSES, SMALL_CLASSES, TrafficScene
from abc_mmdet.datasets.synthetic.coco_export import MIN_SIDE
from abc_mmdet.datasets.synthetic.traffic_scene import Sprite

SIZE = (640, 384)


def pixels_of(scene: TrafficScene, sprite: Sprite) -> np.ndarray:
    """Where one sprite changes a backdrop of a colour that nobody has by more than a trace."""
    scene.backdrop[:] = (255, 0, 255)
    change = np.abs(scene.draw([sprite]).astype(int) - scene.backdrop).max(axis=2)
    return change > 8


def test_a_frame_depends_on_seed_and_time_only() -> None:
    scene = TrafficScene(4, (320, 192))
    first = scene.render(2.0)
    scene.render(9.0)
    assert (scene.render(2.0) == first).all()
    assert (TrafficScene(4, (320, 192)).render(2.0) == first).all()
    assert (TrafficScene(5, (320, 192)).render(2.0) != first).any()
    assert first.shape == (192, 320, 3) and first.dtype == np.uint8


def test_boxes_are_tight_around_what_is_painted() -> None:
    checked = dict.fromkeys(CLASSES, 0)
    for seed in range(8):
        scene = TrafficScene(seed, SIZE)
        sprites = scene.sprites_at(1.0)
        boxes = {item.track_id: item.box for item in scene.describe(sprites)}
        for sprite in sprites:
            if sprite.track_id not in boxes:
                continue
            x1, y1, x2, y2 = boxes[sprite.track_id]
            if min(x2 - x1, y2 - y1) < MIN_SIDE:  # such a sliver gets no box on disk either
                continue
            rows, columns = np.nonzero(pixels_of(scene, sprite))
            painted = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            # At the frame's edge a part that is thinner than a trace may be in or out.
            cut_off = x1 == 0 or y1 == 0 or x2 == SIZE[0] or y2 == SIZE[1]
            tolerance = 2.1 if cut_off else 1.1
            np.testing.assert_allclose(boxes[sprite.track_id], painted, atol=tolerance)
            checked[CLASSES[sprite.class_id]] += 1
    assert min(checked.values()) >= 1 and sum(checked.values()) > 60


def test_boxes_lie_in_the_frame_and_visibility_is_a_share() -> None:
    for seed in range(6):
        for item in TrafficScene(seed, SIZE).objects_at(4.0):
            x1, y1, x2, y2 = item.box
            assert 0 <= x1 < x2 <= SIZE[0] and 0 <= y1 < y2 <= SIZE[1]
            assert 0 <= item.visible <= 1


def test_visibility_is_the_share_of_pixels_that_others_leave() -> None:
    compared = hidden = 0
    for seed in range(8):
        scene = TrafficScene(seed, SIZE)
        sprites = scene.sprites_at(1.0)
        visible = {item.track_id: item.visible for item in scene.describe(sprites)}
        covered = np.zeros((SIZE[1], SIZE[0]), bool)
        for sprite in reversed(sprites):  # from the nearest on
            own = pixels_of(scene, sprite)
            left = (own & ~covered).sum() / max(own.sum(), 1)
            covered |= own
            if sprite.track_id not in visible:
                continue
            assert visible[sprite.track_id] == pytest.approx(left, abs=0.2)
            compared += 1
            hidden += left < 0.7
    assert compared > 40 and hidden >= 3


def test_the_nearer_one_is_painted_over_the_farther_one() -> None:
    compared = 0
    for seed in range(6):
        scene = TrafficScene(seed, SIZE)
        order = [sprite.track_id for sprite in scene.sprites_at(0.0)]
        for lane in scene.lanes:
            distance = {
                state.traveller.number: abs(state.y)
                for state in lane.states(0.0)
                if state.lap == 0  # then the number is the track
            }
            painted = [distance[track] for track in order if track in distance]
            assert painted == sorted(painted, reverse=True)
            compared += max(0, len(painted) - 1)
    assert compared > 20


def test_small_classes_are_small() -> None:
    areas: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(20):
        for item in TrafficScene(seed, (320, 192)).objects_at(0.0):
            x1, y1, x2, y2 = item.box
            if item.visible > 0.3 and y1 > 0 and y2 < 192:
                areas[item.name in SMALL_CLASSES].append((x2 - x1) * (y2 - y1))
    small, large = np.array(areas[True]), np.array(areas[False])
    assert (small < 32**2).mean() > 0.9
    assert np.median(large) > 4 * np.median(small)


def test_tracks_keep_their_number_and_class_while_they_move() -> None:
    scene = TrafficScene(5, SIZE)
    before = {item.track_id: item for item in scene.objects_at(1.0)}
    after = {item.track_id: item for item in scene.objects_at(1.02)}
    shared = before.keys() & after.keys()
    assert len(shared) >= 0.7 * len(before) > 3
    for track in shared:
        assert before[track].class_id == after[track].class_id
        if before[track].visible > 0.9 and after[track].visible > 0.9:
            np.testing.assert_allclose(before[track].box, after[track].box, atol=15)


def test_an_empty_street_is_its_backdrop() -> None:
    scene = TrafficScene(2, SIZE, classes=())
    assert scene.objects_at(3.0) == []
    assert (scene.render(3.0) == scene.backdrop).all()


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'skateboard'.*pedestrian"):
        TrafficScene(0, SIZE, classes=('car', 'skateboard'))
