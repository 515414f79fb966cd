import numpy as np
import torch
from mmengine.structures import InstanceData

from abc_mmdet.visualization import draw_events, draw_sample
from mmdet.structures import DetDataSample


def test_polarities_have_their_colours() -> None:
    counts = np.zeros((4, 2, 3), np.uint8)  # two bins: channels 0, 1 negative and 2, 3 positive
    counts[1, 0, 0] = 9
    counts[2, 0, 1] = 9
    counts[3, 1, 2] = 1
    picture = draw_events(counts, upscale=2)
    assert picture.shape == (4, 6, 3)
    blue, _, red = picture[0, 0].astype(int)
    assert blue > red + 100
    blue, _, red = picture[0, 2].astype(int)
    assert red > blue + 100
    assert (picture[0, 4] == 255).all(), 'no events'
    assert 150 < picture[2, 4, 0] < 255, 'one event is pale'
    assert (picture[:2, :2] == picture[0, 0]).all(), 'a pixel is a square'


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
    picture = draw_sample(np.zeros((2, 40, 60), np.uint8), sample, ('a', 'b'), 0.3, upscale=2)
    assert picture.shape == (80 + 18, 120, 3)
    coloured = (picture != 255).any(axis=-1)
    assert coloured[20, 20:41].all()
    assert coloured[20:41, 40].all()
    assert coloured[20:61, 80].all()
    assert not coloured[:8, :8].any(), 'a score below the threshold'
    assert (picture[40, 20] != picture[60, 80]).any(), 'truth and detections differ'
