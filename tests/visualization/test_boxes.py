"""Images of boxes show the image, the objects, and labels that can be read."""

import logging
import runpy
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from mmengine.dataset import Compose
from mmengine.structures import InstanceData

from abc_mmdet.apis import load_experiment
from abc_mmdet.apis.standard_config import prepare_run
from abc_mmdet.visualization import DetectionVisualizer, draw_boxes, draw_detections, labels
from abc_mmdet.visualization.labels import class_colour, luminance, place_labels
from mmdet.structures import DetDataSample

ROOT = Path(__file__).parents[2]
NAMES = ('car', 'pedestrian', 'bicycle')


def noise(height: int = 200, width: int = 300) -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, (height, width, 3), np.uint8)


def drawn(boxes: list, image: np.ndarray) -> np.ndarray:
    number = len(boxes)
    scores, labels = np.linspace(0.9, 0.4, number), np.arange(number) % 3
    return draw_detections(image, np.array(boxes, float), scores, labels, NAMES)


def test_boxes_beyond_the_border_leave_the_image_where_it_is() -> None:
    image = noise()
    boxes = [[-50, -40, 30, 30], [280, 150, 400, 260], [-900, 90, 900, 95], [310, 0, 330, 9]]
    result = drawn(boxes, image)
    assert result.shape == image.shape
    is_changed = (result != image).any(axis=-1)
    assert not is_changed[115:130, 80:200].any(), 'what is far from all boxes is as it was'
    assert is_changed[30, :31].all() and is_changed[150, 280:].all()
    nan = draw_detections(image, [[np.nan] * 4], [0.5], [0], NAMES)
    assert np.array_equal(nan, image)


@pytest.mark.parametrize('gap', [9, 14, 40])
@pytest.mark.parametrize('side', [6, 12, 30])
def test_no_label_hides_an_object(side: int, gap: int) -> None:
    image = noise()
    places = [(x, y) for y in (40, 40 + side + gap) for x in range(30, 240, side + gap)]
    boxes = [[x, y, x + side, y + side] for x, y in places]
    result = drawn(boxes, image)
    for x, y in places:
        inside = slice(y + 1, y + side), slice(x + 1, x + side)
        assert np.array_equal(result[inside], image[inside])


def test_labels_do_not_overlap_each_other_and_are_whole() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 280, (60, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 20, (60, 2))], axis=1)
    sizes = np.tile([50, 15], (60, 1))
    places = place_labels(boxes, sizes, (300, 300), np.zeros(60, bool))
    labels = [(x, y, x + 50, y + 15) for x, y in filter(None, places)]
    assert len(labels) > 20
    for i, a in enumerate(labels):
        assert a[0] >= 0 and a[1] >= 0 and a[2] <= 300 and a[3] <= 300
        for b in labels[:i]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_a_label_stands_beside_its_object() -> None:
    (place,) = place_labels(
        np.array([[100.0, 100, 108, 108]]), np.array([[50, 15]]), (300, 300), np.zeros(1, bool)
    )
    assert place == (100, 83)


@pytest.mark.parametrize('number', [1, 3, 8, 80])
def test_colours_are_seen_on_black_and_differ(number: int) -> None:
    colours = [class_colour(label, number) for label in range(number)]
    for colour in colours:
        assert (luminance(colour) + 0.05) / 0.05 >= 4.5, 'the contrast of WCAG for text'
    assert len(set(colours)) == number
    if number <= 8:
        far = [np.abs(np.subtract(a, b)).max() for a in colours for b in colours if a != b]
        assert min(far, default=99) >= 50


def test_outlines_are_seen_on_black_and_on_white() -> None:
    for ground in (0, 255):
        for label in range(3):
            image = np.full((60, 160, 3), ground, np.uint8)
            result = draw_detections(image, [[60, 30, 80, 50]], [0.5], [label], NAMES)
            shades = result[40, 50:62].astype(int)
            assert np.abs(shades - ground).max() > 150


@pytest.fixture
def no_other_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(font_manager, 'fontManager', SimpleNamespace(ttflist=[]))
    labels.font_for.cache_clear()
    labels._say_once.cache_clear()
    yield
    labels.font_for.cache_clear()


def test_names_without_a_font_are_numbers_and_said_once(
    no_other_fonts: None, caplog: pytest.LogCaptureFixture
) -> None:
    names = ('사람', 'Пешеход', 'vélo')
    image = noise()
    with caplog.at_level(logging.WARNING, 'abc_mmdet'):
        boxes = [[50, 50, 60, 60], [150, 150, 160, 160]]
        results = [draw_detections(image, boxes, [0.9, 0.8], [0, 1], names) for _ in range(2)]
    (record,) = caplog.records
    assert '사람' in record.getMessage() and 'fonts-noto-cjk' in record.getMessage()
    assert '\n' not in record.getMessage() and 'Пешеход' not in record.getMessage()
    expected = draw_detections(image, boxes, [0.9, 0.8], [0, 1], ('class 0', 'Пешеход', 'vélo'))
    assert np.array_equal(results[0], expected)


def test_a_font_that_has_the_letters_is_found() -> None:
    usual = set(FT2Font(labels._USUAL).get_charmap())
    for entry in font_manager.fontManager.ttflist:
        more = set() if 'LastResort' in entry.fname else set(FT2Font(entry.fname).get_charmap())
        letters = [chr(code) for code in sorted(more - usual) if chr(code).isprintable()]
        if letters:
            found = labels.font_for(letters[0])
            assert found is not None and ord(letters[0]) in FT2Font(found).get_charmap()
            return


def test_the_tools_draw_alike() -> None:
    image = noise()
    boxes = torch.tensor([[20.0, 30, 60, 70], [100, 100, 330, 190], [200, 20, 209, 29]])
    labels, scores = torch.tensor([0, 1, 2]), torch.tensor([0.9, 0.5, 0.2])
    sample = DetDataSample(
        gt_instances=InstanceData(bboxes=boxes, labels=labels),
        pred_instances=InstanceData(bboxes=boxes, labels=labels, scores=scores),
    )
    visualizer = DetectionVisualizer()
    visualizer.dataset_meta = dict(classes=NAMES)
    visualizer.add_datasample('x', image[..., ::-1], sample, pred_score_thr=0.3)
    both = visualizer.get_image()[..., ::-1]
    keep = scores > 0.3
    found = draw_detections(
        image, boxes[keep].numpy(), scores[keep].numpy(), labels[keep].numpy(), NAMES
    )
    truth = draw_detections(image, boxes.numpy(), None, labels.numpy(), NAMES)
    assert np.array_equal(both, np.concatenate([truth, found], axis=1))
    config = load_experiment(str(ROOT / 'configs/small/abc_synthetic.py'))
    prepare_run(config)
    assert config.visualizer.type == 'DetectionVisualizer'


def test_ground_truth_is_not_mirrored_by_test_time_augmentation(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), noise(100, 250))
    tool = runpy.run_path(str(ROOT / 'tools/test.py'), run_name='tool')
    config = load_experiment(str(ROOT / 'configs/small/abc_synthetic.py'))
    tool['use_test_time_augmentation'](config)
    info = dict(
        img_path=str(tmp_path / 'a.png'), img_id=0, height=100, width=250,
        instances=[dict(bbox=[10.0, 20, 40, 60], bbox_label=0, ignore_flag=0)],
    )  # fmt: skip
    samples = Compose(config.test_dataloader.dataset.pipeline)(info)['data_samples']
    assert sorted(sample.flip for sample in samples) == [False, True]
    for sample in samples:
        assert sample.gt_instances.bboxes.tensor.tolist() == [[10, 20, 40, 60]]


def test_lines_and_letters_grow_with_the_image() -> None:
    image = np.zeros((2000, 3600, 3), np.uint8)
    draw_boxes(image, np.array([[1000.0, 1000, 1100, 1100]]), [''], (0, 255, 0))
    assert (image[1050, 990:1010] == (0, 255, 0)).all(-1).sum() in (4, 5)
