import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from abc_mmdet.visualization import draw_boxes, draw_events, draw_sample
from mmdet.structures import DetDataSample


def test_polarities_have_their_colours() -> None:
    counts = np.zeros((4, 2, 3), np.uint8)  # two bins: channels 0, 1 negative and 2, 3 positive
    counts[1, 0, 0] = 9
    counts[2, 0, 1] = 9
    counts[3, 1, 2] = 1
    image = draw_events(counts, upscale=2)
    assert image.shape == (4, 6, 3)
    blue, _, red = image[0, 0].astype(int)
    assert blue > red + 100
    blue, _, red = image[0, 2].astype(int)
    assert red > blue + 100
    assert (image[0, 4] == 255).all(), 'no events'
    assert 150 < image[2, 4, 0] < 255, 'one event is pale'
    assert (image[:2, :2] == image[0, 0]).all(), 'a pixel is a square'


def test_boxes_are_drawn_where_they_are() -> None:
    sample = DetDataSample(
        metainfo=dict(recording='r', timestamp_us=50_000, scale_factor=(0.5, 0.5))
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[10.0, 10, 20, 20]]), labels=torch.tensor([0])
    )
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[80.0, 20, 100, 60], [0, 0, 9, 9]]),  # sensor pixels
        labels=torch.tensor([1, 1]),
        scores=torch.tensor([0.9, 0.1]),
    )
    image = draw_sample(np.zeros((2, 40, 60), np.uint8), sample, ('a', 'b'), 0.3, upscale=2)
    assert image.shape == (80 + 18, 120, 3)
    coloured = (image != 255).any(axis=-1)
    assert coloured[20, 20:41].all()
    assert coloured[20:41, 40].all()
    assert coloured[20:61, 80].all()
    assert not coloured[:8, :8].any(), 'a score below the threshold'
    assert (image[40, 20] != image[60, 80]).any(), 'truth and detections differ'
    unlabelled = draw_sample(
        np.zeros((2, 40, 60), np.uint8), sample, ('a', 'b'), 0.3, upscale=2, is_labelled=False
    )
    assert (unlabelled[:80] == image[:80]).all()
    assert (unlabelled[80:] != image[80:]).any(), 'it says so below'


def written(box: tuple[int, ...], caption: str, below: bool = False) -> tuple[np.ndarray, list]:
    """The image with the outline alone, and the bounds of the caption's ink."""
    images = []
    for text in (caption, ''):
        image = np.full((100, 200, 3), 255, np.uint8)
        draw_boxes(image, np.array([box], float), [text], (0, 0, 0), captions_below=below)
        images.append(image)
    rows, columns = np.nonzero((images[0] < images[1]).any(axis=-1))
    return images[1], [columns.min(), rows.min(), columns.max(), rows.max()]


@pytest.mark.parametrize('below', [False, True])
@pytest.mark.parametrize(
    'box',
    [(50, 40, 90, 60), (0, 0, 40, 30), (180, 70, 200, 100), (-20, -9, 230, 130), (60, 2, 90, 98)],
    ids=['middle', 'top left', 'bottom right', 'larger than the frame', 'from top to bottom'],
)
def test_captions_are_whole_and_outlines_in_the_frame(box: tuple[int, ...], below: bool) -> None:
    _, (x1, y1, x2, y2) = written((50, 40, 90, 60), 'bicycle')  # with room on all sides
    outline, (u1, v1, u2, v2) = written(box, 'bicycle', below)
    assert u2 - u1 >= x2 - x1 - 2 and v2 - v1 >= y2 - y1 - 2, 'but for strokes on the outline'
    left, top, right, bottom = np.clip(box, 0, [199, 99, 199, 99])
    black = (outline == 0).all(axis=-1)
    assert black[top, left : right + 1].all() and black[bottom, left : right + 1].all()
    assert black[top : bottom + 1, left].all() and black[top : bottom + 1, right].all()


def test_truth_and_detection_of_one_object_are_both_legible() -> None:
    for box in ((50, 40, 90, 80), (50, 0, 90, 40), (50, 60, 90, 100), (0, 0, 200, 100)):
        _, (*_, truth_ends) = written(box, 'bicycle')
        _, (_, detection_begins, *_) = written(box, 'bicycle', below=True)
        assert truth_ends < detection_begins


def test_captions_can_be_read_on_events() -> None:
    image = np.full((60, 120, 3), 90, np.uint8)
    draw_boxes(image, np.array([[20.0, 30, 60, 50]]), ['car'], (0, 140, 0))
    band = image[15:28, 20:60]
    assert (band == 255).all(axis=-1).sum() > 30, 'a white border around the letters'
