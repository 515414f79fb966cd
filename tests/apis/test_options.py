"""Options of slices are the parameters of sliced(), which changes the experiment."""

import argparse
from inspect import signature
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

import mmdet
from abc_mmdet.apis import add_slice_arguments, load_experiment, sliced, slicing_of
from abc_mmdet.errors import UserError
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample


def parse(*arguments: str) -> dict | None:
    parser = argparse.ArgumentParser()
    add_slice_arguments(parser)
    return slicing_of(parser.parse_args(arguments))


def test_what_is_given_and_nothing_else() -> None:
    assert parse() is None
    assert parse('--slice', '64x48') == dict(slice_size=(64, 48))
    assert parse('--slice', '224') == dict(slice_size=(224, 224))
    everything = parse(
        *('--slice', '64x48', '--overlap', '0.3', '--merge', 'wbf', '--upscale', '2'),
        *('--slice-batch', '4', '--no-full-image'),
    )
    assert everything == dict(
        slice_size=(64, 48),
        overlap=0.3,
        merge='wbf',
        upscale=2.0,
        batch_size=4,
        full_image=False,
    )
    assert set(everything) == set(signature(sliced).parameters) - {'config'}


@pytest.mark.parametrize(
    'option', ['--overlap 0.2', '--merge nms', '--upscale 1', '--slice-batch 8', '--no-full-image']
)
def test_options_need_slices(option: str) -> None:
    """Also with the value of the default."""
    with pytest.raises(UserError, match=f'{option.split()[0]} is of slices: add --slice WxH'):
        parse(*option.split())


CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.fixture(scope='module')
def config() -> Config:
    return load_experiment(str(CONFIGS / 'small/abc_synthetic.py'))


def test_wraps_the_model_and_lets_images_keep_their_size(config: Config) -> None:
    before = config.to_dict()
    result = sliced(config, (320, 192), overlap=0.3, batch_size=3, merge='nmm', upscale=2)
    assert config.to_dict() == before
    assert result.model.type == 'SlicedDetector'
    assert {**result.model, **config.model} == {**result.model, 'type': config.model.type}
    detector = MODELS.build(result.model)
    assert type(detector.detector).__name__ == result.model.detector == config.model.type
    assert (detector.slice_size, detector.overlap, detector.batch_size) == ((320, 192), 0.3, 3)
    assert (detector.merge.type, detector.full_image) == ('nmm', True)
    for loader in ('val_dataloader', 'test_dataloader'):
        old, new = (c[loader].dataset.pipeline for c in (config, result))
        resizes = [step for step in new if step.type == 'Resize']
        assert resizes == [dict(type='Resize', scale_factor=2.0, keep_ratio=True)]
        assert new[1] == resizes[0]
        others = [[s for s in steps if s.type not in ('Resize', 'Pad')] for steps in (old, new)]
        assert others[0] == others[1]
    assert result.train_dataloader == config.train_dataloader


def test_settings_of_a_sliced_experiment_change(config: Config) -> None:
    merge = dict(type='wbf', threshold=0.4, metric='ios')
    again = sliced(sliced(config, (320, 192)), (64, 32), full_image='native', merge=merge)
    assert again.model == sliced(config, (64, 32), full_image='native', merge=merge).model
    nested = Config(config.to_dict())
    nested.model = dict(type='SlicedDetector', detector=nested.model, slice_size=(320, 192))
    assert sliced(nested, (64, 32), full_image='native', merge=merge).model == again.model
    detector = MODELS.build(again.model)
    assert detector.slice_size == (64, 32) and detector.full_image == 'native'
    assert (detector.merge.type, detector.merge.threshold) == ('wbf', 0.4)
    steps = again.test_dataloader.dataset.pipeline
    assert [step.type for step in steps].count('Resize') == 1


def test_pipelines_inside_wrappers() -> None:
    pipeline = [
        dict(type='mmdet.LoadImageFromFile'),
        dict(type='mmdet.Resize', scale=(64, 64)),
        dict(type='Pad', size=(64, 64)),
        dict(type='PackDetInputs'),
    ]
    config = Config(
        dict(
            model=dict(type='YOLOX'),
            test_dataloader=dict(
                dataset=dict(
                    type='ConcatDataset',
                    datasets=[dict(type='RepeatDataset', dataset=dict(pipeline=pipeline))],
                )
            ),
            tta_pipeline=pipeline,
        )
    )
    result = sliced(config, (32, 32))
    (child,) = result.test_dataloader.dataset.datasets
    names = [step.type for step in child.dataset.pipeline]
    assert names == ['mmdet.LoadImageFromFile', 'Resize', 'PackDetInputs']
    assert 'tta_pipeline' not in result


def test_recordings_are_refused() -> None:
    config = load_experiment(str(CONFIGS / 'baseline_3level_100k.py'))
    with pytest.raises(UserError, match='recordings of events are not sliced'):
        sliced(config, (64, 64))


def test_upscale_has_to_be_a_factor(config: Config) -> None:
    with pytest.raises(UserError, match='upscale=0'):
        sliced(config, (64, 64), upscale=0)


def test_a_detector_whose_pipeline_padded_takes_slices_of_any_size() -> None:
    """RTMDet's preprocessor does not pad, and its pyramid fits no sides but multiples of 32."""
    sides = dict(widen_factor=0.125, deepen_factor=0.1)
    config = Config.fromfile(
        str(Path(mmdet.__file__).parent / '.mim/configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py')
    )
    config.model.backbone.update(init_cfg=None, **sides)
    config.model.neck.update(in_channels=[32, 64, 128], out_channels=16, num_csp_blocks=1)
    config.model.bbox_head.update(in_channels=16, feat_channels=16)
    model = MODELS.build(sliced(config, (64, 48)).model).eval()
    sample = DetDataSample(metainfo=dict(img_shape=(70, 101), scale_factor=(1.0, 1.0)))
    image = torch.randint(0, 256, (3, 70, 101), dtype=torch.uint8)
    with torch.no_grad():
        (found,) = model.test_step(dict(inputs=[image], data_samples=[sample]))
    assert found.pred_instances.bboxes.shape[1] == 4
