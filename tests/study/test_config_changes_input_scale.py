import pytest
from mmengine.config import Config

from abc_mmdet.errors import UserError
from abc_mmdet.study.config_changes import scale_input


def experiment() -> Config:
    mixed = dict(
        dataset=dict(
            pipeline=[
                dict(type='RandomResize', scale=(512, 416), ratio_range=(0.8, 1.25)),
                dict(
                    type='RandomChoice',
                    transforms=[[dict(type='RandomCrop', crop_size=(640, 640))]],
                ),
            ]
        ),
        pipeline=[
            dict(type='Mosaic', img_scale=(640, 640)),
            dict(type='RandomAffine', border=(-320, -320), scaling_ratio_range=(0.9, 1.1)),
            dict(type='Pad', size=(640, 640), pad_val=dict(img=(114, 114, 114))),
        ],
    )
    several = dict(
        pipeline=[dict(type='RandomChoiceResize', scales=[(1, 1)], scale=[(64, 32)] * 2)]
    )
    return Config(dict(train_dataloader=dict(dataset=mixed), test_dataloader=dict(dataset=several)))


@pytest.mark.parametrize(
    ('factor', 'size', 'side'),
    [
        (0.5, (256, 192), 320),
        (0.75, (384, 320), 480),
        (1, (512, 416), 640),
        (1.25, (640, 512), 800),
        (1.5, (768, 640), 960),
        (2, (1024, 832), 1280),
    ],
)
def test_every_size_and_nothing_else(factor: float, size: tuple[int, int], side: int) -> None:
    config = experiment()
    scale_input(config, factor)
    resize, choice = config.train_dataloader.dataset.dataset.pipeline
    assert (resize.scale, resize.ratio_range) == (size, (0.8, 1.25))
    crop = (side, side)
    assert choice.transforms[0][0].crop_size == crop
    mosaic, affine, pad = config.train_dataloader.dataset.pipeline
    assert (mosaic.img_scale, pad.size, pad.pad_val.img) == (crop, crop, (114,) * 3)
    assert affine.border == (-crop[0] // 2, -crop[1] // 2), 'half a side of the mosaic'
    assert affine.scaling_ratio_range == (0.9, 1.1)


def test_several_sizes() -> None:
    config = experiment()
    scale_input(config, 2)
    assert config.test_dataloader.dataset.pipeline[0].scale == [(128, 64)] * 2


@pytest.mark.parametrize('factor', [0, -1, '2', True, None], ids=str)
def test_no_factor(factor: object) -> None:
    with pytest.raises(UserError, match='input_scale='):
        scale_input(experiment(), factor)


def test_nothing_to_scale() -> None:
    config = Config(dict(test_dataloader=dict(dataset=dict(pipeline=[dict(type='Normalize')]))))
    with pytest.raises(UserError, match='no pipeline has a size'):
        scale_input(config, 2)
