"""RandomTranspose against what its description says."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.transforms import RandomTranspose
from abc_mmdet.errors import UserError
from mmdet.datasets.transforms import RandomFlip
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

BOX = st.tuples(st.integers(0, 20), st.integers(0, 10), st.integers(1, 9), st.integers(1, 9))


def results(boxes: list[tuple]) -> dict:
    """An image in which the pixels of box k, given as x, y, width, height, are k + 1."""
    image = np.zeros((20, 30, 3), np.uint8)
    for k, (x, y, w, h) in enumerate(boxes):
        image[y : y + h, x : x + w] = k + 1
    corners = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes], np.float32)
    return dict(
        img=image,
        img_shape=(20, 30),
        scale_factor=(0.5, 0.25),
        gt_bboxes=HorizontalBoxes(torch.from_numpy(corners.reshape(-1, 4))),
        gt_bboxes_labels=np.arange(len(boxes)),
    )


@given(st.lists(BOX, max_size=1))
def test_boxes_hold_their_pixels(boxes) -> None:
    out = TRANSFORMS.build(dict(type='RandomTranspose', prob=1.0))(results(boxes))
    assert out['img'].shape == (30, 20, 3) and out['img_shape'] == (30, 20)
    assert out['img'].flags.c_contiguous and out['scale_factor'] == (0.25, 0.5)
    for k, box in enumerate(out['gt_bboxes'].tensor.int().tolist()):
        rows, columns = np.nonzero(out['img'][..., 0] == k + 1)
        assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_with_flips_all_eight_views() -> None:
    flips = RandomFlip(prob=[0.25] * 3, direction=['horizontal', 'vertical', 'diagonal'])
    transpose = RandomTranspose()
    np.random.seed(0)
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    views = {
        transpose(flips(dict(img=image, img_shape=(2, 3))))['img'].squeeze().tobytes()
        for _ in range(200)
    }
    turned = [np.rot90(side, k) for side in (image, image[:, ::-1]) for k in range(4)]
    assert views == {view.tobytes() for view in turned}


def test_refuses_what_it_cannot() -> None:
    with pytest.raises(UserError, match='from 0 to 1'):
        RandomTranspose(prob=2)
    with pytest.raises(UserError, match='not masks'):
        RandomTranspose()(dict(results([]), gt_masks=object()))
