"""Detector against MMDetection's own way to detect in an image."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer

from abc_mmdet.apis import load_experiment, sliced
from abc_mmdet.errors import UserError
from abc_mmdet.inference import Detections, Detector
from abc_mmdet.inference.images import read_image, write_image
from abc_mmdet.inference.model import without_auxiliary
from mmdet.apis import inference_detector, init_detector

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/small/abc_synthetic.py')
TINY = {
    'model.backbone.widen_factor': 0.125,
    'model.backbone.deepen_factor': 0.1,
    'model.neck.in_channels': [16, 32, 64, 128],
}
STOCK = dict(  # a config of MMDetection's, without anything of ours
    default_scope='mmdet',
    model=dict(
        type='RetinaNet',
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_size_divisor=32,
        ),
        backbone=dict(type='ResNet', depth=18, base_channels=4),
        neck=dict(
            type='FPN', in_channels=[4, 8, 16, 32], out_channels=8, start_level=1, num_outs=3
        ),
        bbox_head=dict(
            type='RetinaHead',
            num_classes=80,
            in_channels=8,
            feat_channels=8,
            anchor_generator=dict(
                type='AnchorGenerator',
                octave_base_scale=4,
                scales_per_octave=1,
                ratios=[1.0],
                strides=[8, 16, 32],
            ),
        ),
        test_cfg=dict(
            nms_pre=1000, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=20
        ),
    ),
    test_dataloader=dict(
        dataset=dict(
            type='CocoDataset',
            pipeline=[
                dict(type='LoadImageFromFile', backend_args=None),
                dict(type='Resize', scale=(160, 96), keep_ratio=True),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='PackDetInputs'),
            ],
        )
    ),
)


@pytest.fixture(scope='module')
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp('images')
    generator = np.random.default_rng(1)
    paths = [folder / f'{name}.png' for name in ('wide', 'tall', 'also_wide')]
    for path, shape in zip(paths, [(60, 90, 3), (90, 60, 3), (60, 90, 3)], strict=True):
        write_image(path, generator.integers(0, 256, shape, np.uint8))
    return paths


@pytest.fixture(scope='module')
def experiment(random_weights, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path]:
    """ABC with random weights, in a checkpoint such as a training run writes."""
    config = load_experiment(CONFIG, TINY)
    path = tmp_path_factory.mktemp('run') / 'weights.pth'
    random_weights(config, path)
    loaded = torch.load(path)
    loaded['message_hub'] = dict(loss=HistoryBuffer([1.0], [1]))  # not read without its code
    torch.save(loaded, path)
    return config, path


@pytest.fixture(scope='module')
def detector(experiment: tuple[Config, Path]) -> Detector:
    return Detector(*experiment, device='cpu')


def equal(a: Detections, b: Detections) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ('boxes', 'scores', 'labels')
    )


def test_detections_are_those_of_mmdetection(
    detector: Detector, experiment: tuple[Config, Path], images: list[Path]
) -> None:
    config, checkpoint = experiment
    theirs = init_detector(config, str(checkpoint), device='cpu')
    for path in images[:2]:
        expected, found = inference_detector(theirs, str(path)).pred_instances, detector(path)
        assert len(found) > 10
        width, height = found.size
        boxes = expected.bboxes.numpy().clip(0, [width, height] * 2)
        is_inside = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        assert np.array_equal(found.boxes, boxes[is_inside])
        assert np.array_equal(found.scores, expected.scores.numpy()[is_inside])
        assert np.array_equal(found.labels, expected.labels.numpy()[is_inside])
    assert not hasattr(detector.model.bbox_head, 'aux_head')


def test_files_arrays_and_batches_give_the_same(
    detector: Detector, experiment: tuple[Config, Path], images: list[Path]
) -> None:
    one_by_one = [detector(str(path)) for path in images]
    assert all(map(equal, one_by_one, detector(images)))
    assert all(map(equal, one_by_one, detector([read_image(path) for path in images])))
    at_once = Detector(*experiment, device='cpu', batch_size=3)(images)
    for a, b in zip(one_by_one, at_once, strict=True):
        assert np.allclose(a.scores, b.scores, atol=1e-5)
    assert detector([]) == []


def test_what_is_known_of_detections(detector: Detector, images: list[Path], tmp_path) -> None:
    found = detector(images[1])
    assert found.size == (60, 90)
    assert found.classes[3] == 'bus'
    assert found.names == [found.classes[label] for label in found.labels]
    assert (np.diff(found.scores) <= 0).all()
    threshold = float(found.scores[4])
    assert len(found.above(threshold)) == int((found.scores >= threshold).sum()) < len(found)
    image = read_image(images[1])
    assert np.array_equal(found.draw(1.0), image)
    found.save(tmp_path / 'drawn.png', threshold)
    drawn = read_image(tmp_path / 'drawn.png')
    assert np.array_equal(drawn, found.draw(threshold))
    assert (drawn != image).any()


def test_a_plain_config_of_mmdetection(random_weights, images: list[Path], tmp_path) -> None:
    config = random_weights(Config(STOCK), tmp_path / 'weights.pth')
    detector = Detector(config, tmp_path / 'weights.pth', device='cpu')
    detector.model.cfg = config
    found = detector(images[0])
    expected = inference_detector(detector.model, str(images[0])).pred_instances
    assert np.array_equal(np.sort(found.scores), np.sort(expected.scores.numpy()))
    assert found.classes[0] == 'person'
    assert len(found.classes) == 80


def test_slices(experiment: tuple[Config, Path], images: list[Path]) -> None:
    whole = dict(slice_size=(128, 96), full_image=False)
    found = Detector(*experiment, device='cpu', slicing=whole)(images[0])
    assert found.size == (90, 60)
    small = dict(slice_size=(64, 64), overlap=0.25)
    assert not equal(found, Detector(*experiment, device='cpu', slicing=small)(images[0]))
    more = dict(small, merge='wbf', upscale=2.0, batch_size=3, full_image=False)
    model = Detector(*experiment, device='cpu', slicing=more).model
    assert (model.merge.type, model.batch_size, model.full_image) == ('wbf', 3, False)
    for wrong in (dict(small, overlaps=0.5), dict(overlap=0.2)):
        with pytest.raises(UserError, match='slicing='):
            Detector(*experiment, device='cpu', slicing=wrong)


def test_mistakes(experiment: tuple[Config, Path], detector: Detector, tmp_path: Path) -> None:
    config, checkpoint = experiment
    with pytest.raises(UserError, match='There is no config file'):
        Detector('none.py', checkpoint)
    with pytest.raises(UserError, match='there is no checkpoint'):
        Detector(config, tmp_path / 'none.pth')
    with pytest.raises(UserError, match='does not fit the config'):
        Detector(Config(STOCK), checkpoint, device='cpu')
    with pytest.raises(UserError, match='device nowhere cannot be used'):
        Detector(config, checkpoint, device='nowhere')
    events = load_experiment(str(ROOT / 'configs/small/abc_synthetic_events.py'))
    with pytest.raises(UserError, match='StreamingInferencer is for event recordings'):
        Detector(events, checkpoint)
    with pytest.raises(UserError, match=r'x\.jpg'):
        detector('x.jpg')
    with pytest.raises(UserError, match='is no image here'):
        detector(np.zeros((5, 5), np.float32))
    loaded = torch.load(checkpoint, weights_only=False)
    classes = loaded['meta']['dataset_meta']['classes']
    for other, message in ((classes[::-1], 'same classes in another order'), ('ab', 'other class')):
        loaded['meta']['dataset_meta']['classes'] = other
        torch.save(loaded, tmp_path / 'other.pth')
        with pytest.raises(UserError, match=message):
            Detector(config, tmp_path / 'other.pth', device='cpu')


def test_names_of_the_config_where_the_checkpoint_has_none(
    experiment: tuple[Config, Path], tmp_path: Path
) -> None:
    config, checkpoint = experiment
    state = torch.load(checkpoint, weights_only=False)['state_dict']
    torch.save(dict(state_dict=state), tmp_path / 'bare.pth')
    assert Detector(config, tmp_path / 'bare.pth', device='cpu').classes == tuple(config.classes)


def test_the_callers_config_keeps_its_auxiliary_branch() -> None:
    config = load_experiment(CONFIG, TINY)
    assert config.model.bbox_head.get('use_auxiliary', True)
    before = config.to_dict()
    of_slices = sliced(config, (64, 64))
    nested = load_experiment(CONFIG, TINY)
    nested.model = dict(type='SlicedDetector', detector=nested.model, slice_size=(64, 64))
    for given in (config, of_slices, nested):
        model = without_auxiliary(given).model
        inner = model.detector if given is nested else model
        assert inner.bbox_head.use_auxiliary is False
    assert config.to_dict() == before
    assert of_slices.model.bbox_head == nested.model.detector.bbox_head == config.model.bbox_head


def test_detections_are_printed_in_a_line() -> None:
    found = Detections(
        boxes=np.zeros((3, 4), np.float32),
        scores=np.array([0.9, 0.5, 0.4], np.float32),
        labels=np.array([1, 0, 1]),
        classes=('car', 'person'),
        size=(640, 480),
        source=Path('a.jpg'),
    )
    expected = '3 detections in an image of 640 x 480 pixels: 2 person, 1 car; best score 0.90'
    assert repr(found) == f'<{expected}>'
    assert repr(found.above(0.95)) == '<0 detections in an image of 640 x 480 pixels>'
