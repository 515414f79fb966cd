from pathlib import Path

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile

from mmdet.registry import TRANSFORMS


@pytest.fixture(params=['colour', 'grey', 'equal channels'])
def path(request, tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    if request.param == 'grey':
        image = image[..., 0]
    elif request.param == 'equal channels':
        image[:] = image[..., :1]
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    return tmp_path / 'a.png'


def test_gives_what_the_plain_loader_gives_and_reads_once(path: Path) -> None:
    expected = LoadImageFromFile()(dict(img_path=str(path)))
    load = TRANSFORMS.build(dict(type='LoadImageOnce'))
    first = load(dict(img_path=str(path)))
    first['img'][:] = 0  # what an augmentation may do
    path.unlink()
    for _ in range(2):
        again = load(dict(img_path=str(path)))
        np.testing.assert_array_equal(again['img'], expected['img'])
        assert again['img_shape'] == expected['img_shape'] == (40, 60)
        assert again['ori_shape'] == expected['ori_shape']
        assert again['img'].flags.c_contiguous
        again['img'][:] = 0


def test_keeps_no_more_than_the_limit(path: Path) -> None:
    load = TRANSFORMS.build(dict(type='LoadImageOnce', limit_mb=1e-3))
    load(dict(img_path=str(path)))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        load(dict(img_path=str(path)))
