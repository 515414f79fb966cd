from pathlib import Path

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile

from mmdet.registry import TRANSFORMS


@pytest.fixture(params=['colour', 'grey', 'equal channels'])
def picture(request, tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    if request.param == 'grey':
        image = image[..., 0]
    elif request.param == 'equal channels':
        image[:] = image[..., :1]
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    return tmp_path / 'a.png'


def test_gives_what_the_plain_loader_gives_and_reads_once(picture: Path) -> None:
    expected = LoadImageFromFile()(dict(img_path=str(picture)))
    load = TRANSFORMS.build(dict(type='LoadImageOnce'))
    first = load(dict(img_path=str(picture)))
    first['img'][:] = 0  # what an augmentation may do
    picture.unlink()
    for _ in range(2):
        again = load(dict(img_path=str(picture)))
        np.testing.assert_array_equal(again['img'], expected['img'])
        assert again['img_shape'] == expected['img_shape'] == (40, 60)
        assert again['ori_shape'] == expected['ori_shape']
        assert again['img'].flags.c_contiguous
        again['img'][:] = 0


def test_keeps_no_more_than_the_limit(picture: Path) -> None:
    load = TRANSFORMS.build(dict(type='LoadImageOnce', limit_mb=1e-3))
    load(dict(img_path=str(picture)))
    picture.unlink()
    with pytest.raises(FileNotFoundError):
        load(dict(img_path=str(picture)))
