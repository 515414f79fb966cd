"""An exported model on an experiment's own data: evaluated, and images to calibrate on."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner

from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.errors import UserError
from abc_mmdet.utils.wrapped import leaves
from mmdet.registry import DATASETS

from .engine_detector import EngineDetector
from .engines import Feed, open_session
from .recorded import Recorded

SMALL = 32**2
"""Area in pixels of the image file, below which an object is small (COCO)."""
NAMES = {
    'AP': 'bbox_mAP',
    'AP_50': 'bbox_mAP_50',
    'AP_small': 'bbox_mAP_s',
    'AP_tiny': 'bbox_mAP_tiny',
}
"""What :func:`figures` gives, and what the metric calls it."""


def figures(content: bytes, config: Config) -> dict[str, float]:
    """AP of an exported model on the validation data, by the experiment's own metric.

    Args:
        content: of the file.
        config: of the experiment.

    Returns:
        Those of :data:`NAMES` that the metric has; ``AP_small`` is one of them.

    Raises:
        UserError: no validation data, or a metric without AP by size.
    """
    if not (config.get('val_dataloader') and config.get('val_evaluator')):
        raise UserError(
            f'{config.filename} has no validation data (val_dataloader, val_evaluator), so what '
            'INT8 costs cannot be measured.'
        )
    detector = _detector(content)
    with config_mistakes(str(config.filename)):
        loader = Runner.build_dataloader(_in_this_process(config.val_dataloader), seed=0)
        evaluator = Evaluator(deepcopy(config.val_evaluator))
    evaluator.dataset_meta = loader.dataset.metainfo
    for batch in loader:
        with torch.no_grad():
            evaluator.process(detector.test_step(batch), batch)
    measured = {
        name.rpartition('/')[2]: float(value)
        for name, value in evaluator.evaluate(len(loader.dataset)).items()
    }
    found = {name: measured[key] for name, key in NAMES.items() if key in measured}
    if 'AP_small' not in found:
        raise UserError(
            f'{config.filename}: val_evaluator gives no AP of small objects (it gives '
            f'{", ".join(measured)}): use SmallObjectMetric, on data that has some.'
        )
    return found


def calibration_images(content: bytes, config: Config, number: int) -> list[Feed]:
    """Inputs from training images that have small objects, prepared as for validation.

    Not from validation images, on which the result is judged.

    Args:
        content: of the file that is going to be calibrated.
        config: of the experiment.
        number: images, as far as there are.

    Raises:
        UserError: no training data, or none with a small object.
    """
    if not config.get('train_dataloader') or number < 1:
        raise UserError(
            f'{config.filename}: INT8 is calibrated on images of train_dataloader, and '
            f'{"there is none" if number >= 1 else f"{number} of them are none"}.'
        )
    options = deepcopy(dict(leaves(config.train_dataloader.dataset)[0]))
    options.update(pipeline=leaves(config.val_dataloader.dataset)[0].pipeline, test_mode=True)
    with config_mistakes(str(config.filename)):
        dataset = DATASETS.build(options)
    have = [i for i in range(len(dataset)) if _number_of_small(dataset.get_data_info(i))]
    if not have:
        raise UserError(
            f'{config.filename}: no training image has an object below {SMALL} pixels, and INT8 '
            'is calibrated on those that have.'
        )
    chosen = [have[i * len(have) // min(number, len(have))] for i in range(min(number, len(have)))]
    detector = _detector(content)
    return [
        detector.feed(**detector.data_preprocessor(pseudo_collate([dataset[i]]))) for i in chosen
    ]


def _number_of_small(info: dict[str, Any]) -> int:
    boxes = [each['bbox'] for each in info['instances'] if not each.get('ignore_flag')]
    corners = np.array(boxes, float).reshape(-1, 4)
    return int(((corners[:, 2:] - corners[:, :2]).prod(1) < SMALL).sum())


def _detector(content: bytes) -> EngineDetector:
    session = open_session(content)
    properties = session.get_modelmeta().custom_metadata_map
    recorded = Recorded.from_properties(properties, 'the exported model')
    if recorded.input != 'images':
        raise UserError('INT8 is for detectors of images, not of events.')
    return EngineDetector(lambda feed: session.run(None, dict(feed)), recorded).eval()


def _in_this_process(loader: dict) -> dict:
    """A loader without workers, which would have to start a process each for every trial."""
    return dict(deepcopy(loader), num_workers=0, persistent_workers=False)
