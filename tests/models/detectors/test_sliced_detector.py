"""SlicedDetector against the detector inside it."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint, save_checkpoint
from mmengine.runner.checkpoint import get_state_dict
from mmengine.structures import InstanceData
from torch.utils.flop_counter import FlopCounterMode

from abc_mmdet.errors import UserError
from abc_mmdet.models import SlicedDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.testing import demo_mm_inputs

ROOT = Path(__file__).parents[3]
CONFIG = {
    'YOLOX': dict(
        data_preprocessor=dict(mean=[100.0, 110, 120], std=[50.0, 60, 70], pad_value=3),
        backbone=dict(widen_factor=0.125, deepen_factor=0.1),
        neck=dict(in_channels=[32, 64, 128], out_channels=16),
        bbox_head=dict(num_classes=3, in_channels=16, feat_channels=16),
        test_cfg=dict(score_thr=0.0, nms=dict(max_num=40)),
    )
}


def yolox() -> dict:
    config = Config.fromfile(ROOT / 'configs/_base_/models/yolox_3level.py')
    config.merge_from_dict(dict(model=CONFIG['YOLOX']))
    return config.model


@pytest.fixture(scope='module')
def detector() -> torch.nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(yolox())
    model.init_weights()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():  # statistics with which places of an image differ
        model.train()(50 + 70 * torch.randn(4, 3, 64, 64))
    for name, parameter in model.bbox_head.named_parameters():
        if name.startswith('multi_level_conv_'):
            torch.nn.init.normal_(parameter, std=0.02 if 'reg' in name else 0.3)
    return model.eval()


def around(detector: torch.nn.Module, **options) -> SlicedDetector:
    model = SlicedDetector(yolox(), **options)
    model.load_state_dict(detector.state_dict())
    return model.eval()


def batch(*shapes: tuple[int, int], scale: float = 2.0) -> dict:
    """Raw images of these heights and widths, that were resized by ``scale``."""
    data = demo_mm_inputs(len(shapes), [(3, *shape) for shape in shapes], num_classes=3)
    for sample in data['data_samples']:
        sample.set_metainfo(dict(scale_factor=(scale, scale)))
    return data


def detect(model: torch.nn.Module, data: dict) -> list[DetDataSample]:
    with torch.no_grad():
        return model.test_step(copy.deepcopy(data))


def same(a: DetDataSample, b: DetDataSample) -> bool:
    keys = ('bboxes', 'scores', 'labels')
    return all(torch.equal(a.pred_instances[key], b.pred_instances[key]) for key in keys)


@pytest.mark.parametrize('size', [(128, 96), (300, 300), (111, 90)])
def test_one_slice_gives_what_the_detector_gives(detector, size) -> None:
    data = batch((90, 100), (64, 111), scale=1.7)
    expected = detect(detector, data)
    found = detect(around(detector, slice_size=size, full_image=False), data)
    assert len(expected[0].pred_instances) > 5
    assert all(map(same, expected, found))


def test_one_slice_is_not_looked_at_twice(detector) -> None:
    data = batch((90, 100))
    assert same(*detect(detector, data), *detect(around(detector, slice_size=(128, 96)), data))


def distances(a: InstanceData, b: InstanceData) -> torch.Tensor:
    return torch.cdist(a.bboxes, b.bboxes, compute_mode='donot_use_mm_for_euclid_dist')


def by_hand(detector, data: dict, number: int, parts: list, scale: float) -> InstanceData:
    """Detections of slices that were cut out of the raw image, each looked at alone."""
    found = []
    for x1, y1, x2, y2 in parts:
        cut = data['inputs'][number][:, y1:y2, x1:x2]
        meta = dict(img_shape=cut.shape[1:], ori_shape=cut.shape[1:], scale_factor=(1.0, 1.0))
        sample = DetDataSample(metainfo=meta)
        (result,) = detect(detector, dict(inputs=[cut], data_samples=[sample]))
        instances = result.pred_instances
        instances.bboxes = (instances.bboxes + torch.tensor([x1, y1, x1, y1])) / scale
        found.append(instances)
    return InstanceData.cat(found)


def test_slices_of_all_images_of_a_batch(detector) -> None:
    scale, size = 2.0, (64, 64)
    data = batch((64, 96), (100, 64), (50, 40), scale=scale)
    parts = [
        [(0, 0, 64, 64), (32, 0, 96, 64)],
        [(0, 0, 64, 64), (0, 36, 64, 100)],
        [(0, 0, 40, 50)],
    ]
    # A merge that merges equal boxes only: what is left is what each slice gives
    merge = dict(type='nms', threshold=1.0)
    options = dict(full_image=False, best_views=False, merge=merge, batch_size=2)
    found = detect(around(detector, slice_size=size, **options), data)
    for number, sample in enumerate(found):
        expected = by_hand(detector, data, number, parts[number], scale)
        assert len(sample.pred_instances) == 40 * len(parts[number])
        # Batches of other sizes round otherwise, so neighbours may have changed places
        scores = expected.scores.sort(descending=True).values
        torch.testing.assert_close(sample.pred_instances.scores, scores, atol=1e-3, rtol=0)
        near = distances(sample.pred_instances, expected)
        assert near.min(0).values.max() < 0.05
        assert near.min(1).values.max() < 0.05


@pytest.mark.parametrize('full_image', [True, False, 'native'])
def test_views_of_an_image(detector, full_image) -> None:
    model = around(detector, slice_size=(64, 64), full_image=full_image)
    views = model.views(3, (64, 96))
    assert [view.part for view in views[:2]] == [(0, 0, 64, 64), (32, 0, 96, 64)]
    assert {view.image for view in views} == {3}
    whole = [(view.part, view.size) for view in views[2:]]
    expected = {True: (64, 43), 'native': (96, 64)}
    assert whole == ([((0, 0, 96, 64), expected[full_image])] if full_image else [])
    assert len(model.views(0, (64, 64))) == 1


def test_the_whole_image_is_in_the_frame_of_the_image(detector) -> None:
    """In full size it gives the boxes of the detector without slicing."""
    data = batch((64, 96), scale=2.0)
    merge = dict(type='nms', threshold=1.0)
    options = dict(full_image='native', best_views=False, merge=merge)
    (found,) = detect(around(detector, slice_size=(64, 64), **options), data)
    (alone,) = detect(detector, data)
    distance = distances(alone.pred_instances, found.pred_instances)
    assert len(found.pred_instances) == 3 * 40
    assert distance.min(1).values.max() < 1e-3


def test_boxes_without_rescaling_are_those_of_the_input(detector) -> None:
    data = batch((64, 96), scale=2.0)
    model = around(detector, slice_size=(64, 64))
    with torch.no_grad():
        results = []
        for rescale in (True, False):
            packed = model.data_preprocessor(copy.deepcopy(data), False)
            results += model.predict(packed['inputs'], packed['data_samples'], rescale=rescale)
    scaled, unscaled = (sample.pred_instances for sample in results)
    torch.testing.assert_close(scaled.bboxes * 2, unscaled.bboxes)
    torch.testing.assert_close(scaled.scores, unscaled.scores)


def test_what_a_slice_sees_whole_is_believed_to_no_other_view(detector) -> None:
    data = batch((64, 96), scale=1.0)
    keep_all = dict(type='nms', threshold=1.0)
    found = {
        best: detect(around(detector, slice_size=(64, 64), best_views=best, merge=keep_all), data)[
            0
        ].pred_instances
        for best in (False, True)
    }
    assert 0 < len(found[True]) < len(found[False])
    kept = distances(found[True], found[False]).min(1)
    assert kept.values.max() == 0, 'boxes stay as they are'
    left, right = found[True].bboxes[:, 0], found[True].bboxes[:, 2]
    of_a_slice = (right <= 62) | (left >= 34)
    assert of_a_slice.any()
    # Slices 0-64 and 32-96: nobody sees all of what reaches from below 34 to beyond 62
    dropped = torch.ones(len(found[False]), dtype=torch.bool)
    dropped[kept.indices] = False
    gone = found[False].bboxes[dropped]
    assert ((gone[:, 2] <= 62) | (gone[:, 0] >= 34)).all()


def test_nothing_found(detector) -> None:
    model = around(detector, slice_size=(64, 64))
    model.detector.bbox_head.test_cfg = model.detector.bbox_head.test_cfg.copy()
    model.detector.bbox_head.test_cfg['score_thr'] = 1.1
    for sample in detect(model, batch((64, 96), (100, 130), (30, 20))):
        assert sample.pred_instances.bboxes.shape == (0, 4)
        assert len(sample.pred_instances.labels) == 0


def test_the_detector_decides_how_many_boxes_and_scores_there_are(detector) -> None:
    model = around(detector, slice_size=(64, 64), full_image=False)
    assert model.test_cfg is model.detector.test_cfg
    (sample,) = detect(model, batch((64, 160)))
    assert len(sample.pred_instances) <= 40 * 3


def test_checkpoints_are_those_of_the_detector(detector, tmp_path: Path) -> None:
    plain, saved = str(tmp_path / 'plain.pth'), str(tmp_path / 'sliced.pth')
    save_checkpoint(dict(state_dict=get_state_dict(detector)), plain)
    model = SlicedDetector(yolox(), slice_size=(64, 64))
    load_checkpoint(model, plain, strict=True)
    for state in (model.state_dict(), get_state_dict(model)):
        assert list(state) == list(detector.state_dict())
        assert state._metadata.keys() >= detector.state_dict()._metadata.keys()
        assert all(torch.equal(state[name], detector.state_dict()[name]) for name in state)
    save_checkpoint(dict(state_dict=get_state_dict(model)), saved)
    again = MODELS.build(yolox())
    load_checkpoint(again, saved, strict=True)
    load_checkpoint(SlicedDetector(yolox(), slice_size=(64, 64)), saved, strict=True)
    # Inside another module, as averaged weights are
    wrapped = torch.nn.ModuleDict(dict(module=model))
    assert 'module.backbone.stem.conv.conv.weight' in wrapped.state_dict()
    assert not any('detector' in name for name in wrapped.state_dict())
    wrapped.load_state_dict(wrapped.state_dict())


def test_training_is_that_of_the_detector(detector) -> None:
    data = batch((64, 96), (64, 96))
    losses = []
    for model in (copy.deepcopy(detector), around(detector, slice_size=(32, 32))):
        packed = model.train().data_preprocessor(copy.deepcopy(data), True)
        losses.append(model(**packed, mode='loss'))
    assert losses[0].keys() == losses[1].keys()
    for name, value in losses[0].items():
        assert torch.equal(value, losses[1][name])


def test_what_is_asked_of_a_detector(detector) -> None:
    model = around(detector, slice_size=(64, 64))
    assert model.with_neck and model.bbox_head is model.detector.bbox_head
    images = torch.rand(1, 3, 64, 96)
    with pytest.raises(AttributeError, match='no_such_thing'):
        _ = model.no_such_thing
    model = around(detector, slice_size=(96, 64))
    with torch.no_grad():
        for mine, its in zip(model(images), detector(images), strict=True):
            assert all(map(torch.equal, mine, its))


def operations(model: torch.nn.Module, *arguments) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model._forward(*arguments)
    return counter.get_total_flops()


@pytest.mark.parametrize('batch_size', [1, 2, 8])
def test_operations_of_an_image_are_those_of_all_its_passes(detector, batch_size) -> None:
    """Four slices of 64 x 64 and the whole image, shrunk to 64 x 58 and padded to 64 x 64."""
    model = around(detector, slice_size=(64, 64), batch_size=batch_size)
    (sample,) = batch((100, 110))['data_samples']
    padded = torch.rand(1, 3, 128, 128)
    of_a_slice = operations(detector, torch.rand(1, 3, 64, 64))
    assert len(model.views(0, (100, 110))) == 5
    assert operations(model, padded, [sample]) == 5 * of_a_slice
    # Without a sample nothing is known of padding, and 128 pixels take three slices
    assert operations(model, padded) == 10 * of_a_slice


def test_the_detector_may_be_named_and_its_fields_stay_where_they_are(detector) -> None:
    fields = {name: value for name, value in yolox().items() if name != 'type'}
    named = MODELS.build(
        dict(type='SlicedDetector', detector='YOLOX', slice_size=(64, 64), **fields)
    )
    named.load_state_dict(detector.state_dict())
    data = batch((64, 96))
    nested = around(detector, slice_size=(64, 64))
    assert same(*detect(named.eval(), data), *detect(nested, data))
    with pytest.raises(UserError, match='has backbone and detector=dict'):
        SlicedDetector(yolox(), slice_size=(64, 64), backbone=dict(type='CSPDarknet'))


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(slice_size=(0, 64)), r'slice_size=\(0, 64\): give width and height'),
        (dict(slice_size=64), 'slice_size=64'),
        (dict(overlap=1.0), 'overlap=1.0: give a share'),
        (dict(batch_size=0), 'batch_size=0'),
        (dict(full_image='half'), "full_image='half': give one of"),
        (dict(border_margin=-1), 'border_margin=-1'),
        (dict(merge=dict(type='soft')), "merge.type='soft'"),
    ],
)
def test_wrong_options(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        SlicedDetector(yolox(), **{'slice_size': (64, 64), **options})
