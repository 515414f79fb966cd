"""An exported model on data whose ground truth is what the detector finds in PyTorch."""

import json
from copy import deepcopy

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from abc_mmdet.deployment.validation import calibration_images, figures
from abc_mmdet.errors import UserError
from abc_mmdet.inference import Detector

from .test_plain_detectors import CLASSES


@pytest.fixture(scope='module')
def exported(
    files, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Config, bytes, list[np.ndarray]]:
    """Experiment with data, exported model, images; the third image has no small object."""
    folder = tmp_path_factory.mktemp('exported')
    experiment = deepcopy(files.experiment)
    coarse = np.random.default_rng(0).integers(0, 256, (3, 11, 15, 3), np.uint8)
    images = [np.kron(image, np.ones((10, 10, 1), np.uint8)) for image in coarse]
    detector = Detector(experiment, files.checkpoint, 'cpu')
    content: dict = dict(
        images=[
            dict(id=i, file_name=f'{i}.png', width=150, height=110) for i in range(len(images))
        ],
        categories=[dict(id=i, name=name) for i, name in enumerate(CLASSES, start=1)],
        annotations=[],
    )
    for number, image in enumerate(images):
        cv2.imwrite(str(folder / f'{number}.png'), image)
        found = detector(image)
        for box, label in zip(found.boxes.tolist(), found.labels.tolist(), strict=True):
            width, height = box[2] - box[0], box[3] - box[1]
            is_small = width * height < 32**2
            if (number == 2 and is_small) or min(width, height) < 1:
                continue
            content['annotations'].append(
                dict(
                    id=len(content['annotations']) + 1,
                    image_id=number,
                    category_id=label + 1,
                    bbox=[box[0], box[1], width, height],
                    area=width * height,
                    iscrowd=0,
                )
            )
    (folder / 'truth.json').write_text(json.dumps(content))
    pipeline = experiment.test_dataloader.dataset.pipeline
    pipeline = [*pipeline[:-1], dict(type='LoadAnnotations', with_bbox=True), pipeline[-1]]
    dataset = dict(
        type='CocoDataset',
        metainfo=dict(classes=CLASSES),
        ann_file=str(folder / 'truth.json'),
        data_prefix=dict(img=str(folder)),
        pipeline=pipeline,
        test_mode=True,
    )
    loader = dict(batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler'), dataset=dataset)
    experiment.val_dataloader = experiment.train_dataloader = loader
    experiment.val_evaluator = dict(type='CocoMetric', ann_file=str(folder / 'truth.json'))
    return experiment, files.onnx.read_bytes(), images


def test_everything_is_found(exported) -> None:
    """But for what the third image has no ground truth of."""
    experiment, content, _ = exported
    found = figures(content, experiment)
    assert set(found) == {'AP', 'AP_50', 'AP_small'}
    assert found['AP_50'] > 0.5 and found['AP_small'] > 0.3
    assert found['AP'] > 0.9 * found['AP_50'], 'boxes are the same to the pixel'


def test_images_with_small_objects_are_chosen(exported) -> None:
    experiment, content, images = exported
    feeds = calibration_images(content, experiment, 10)
    assert len(feeds) == 2
    for feed, image in zip(feeds, images, strict=False):
        assert feed['images'].shape == (1, 3, 128, 160)
        mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
        expected = ((image[..., ::-1] - mean) / std).transpose(2, 0, 1)
        assert np.allclose(feed['images'][0, :, :110, :150], expected, atol=1e-5)
    assert len(calibration_images(content, experiment, 1)) == 1


def test_mistakes(exported) -> None:
    experiment, content, _ = exported
    with pytest.raises(UserError, match='0 of them are none'):
        calibration_images(content, experiment, 0)
    without = Config({k: v for k, v in experiment.items() if k != 'val_evaluator'})
    with pytest.raises(UserError, match='has no validation data'):
        figures(content, without)
    without.pop('train_dataloader')
    with pytest.raises(UserError, match='there is none'):
        calibration_images(content, without, 5)
