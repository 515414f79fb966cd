"""What many tests need: MMDetection's scope, pyramids and ground truth."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor

import abc_mmdet  # noqa: F401
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules

ROOT = Path(__file__).parents[1]
IMAGE = (64, 96)  # height, width

# A busy machine is no failure, and the examples of a CI run are the same ones every time.
settings.register_profile('abc_mmdet', deadline=None, derandomize='CI' in os.environ)
settings.load_profile('abc_mmdet')


@pytest.fixture(scope='session', autouse=True)
def default_scope() -> None:
    register_all_modules(init_default_scope=True)
    # The tensors here are small: more threads only wait for each other, in child processes too.
    torch.set_num_threads(1)
    os.environ['OMP_NUM_THREADS'] = '1'
    # Tools run as processes use this checkout first
    others = [p for p in os.environ.get('PYTHONPATH', '').split(os.pathsep) if p]
    os.environ['PYTHONPATH'] = os.pathsep.join([str(ROOT), *others])


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def cpu_autocast() -> Callable[[torch.dtype], torch.autocast]:
    """``torch.autocast`` on the CPU; skips where this PyTorch has it for bfloat16 alone."""

    def make(dtype: torch.dtype) -> torch.autocast:
        try:
            with torch.autocast('cpu', dtype=dtype):
                return torch.autocast('cpu', dtype=dtype)
        except RuntimeError as error:
            pytest.skip(str(error))

    return make


@pytest.fixture
def pyramid() -> Callable[..., tuple[Tensor, ...]]:
    """Random features of a pyramid for images of 96 x 64 px."""

    def make(strides: Sequence[int], channels: int = 8, batch: int = 2) -> tuple[Tensor, ...]:
        return tuple(
            torch.randn(batch, channels, IMAGE[0] // s, IMAGE[1] // s, requires_grad=True)
            for s in strides
        )

    return make


@pytest.fixture(scope='session')
def random_weights() -> Callable[[Config, Path], Config]:
    """Writes a checkpoint of a config's detector that finds something everywhere; the config."""

    def write(config: Config, path: Path) -> Config:
        torch.manual_seed(0)
        model = MODELS.build(config.model)
        model.init_weights()
        for name, parameter in model.named_parameters():
            if name.startswith('bbox_head') and name.endswith('bias'):
                torch.nn.init.zeros_(parameter)  # in place of a probability of 0.01
            elif 'conv_cls' in name or 'conv_obj' in name:
                parameter.data *= 20  # scores that differ
        names = config.get('classes')
        meta = dict(dataset_meta=dict(classes=names)) if names else {}
        torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
        return config

    return write


@pytest.fixture
def samples() -> Callable[..., list[DetDataSample]]:
    """Ground truth: one image per list of labels, a random box of 6 to 30 px per label."""

    def make(*labels_per_image: Sequence[int]) -> list[DetDataSample]:
        made = []
        for labels in labels_per_image:
            corners = torch.rand(len(labels), 2) * torch.tensor([IMAGE[1] - 32, IMAGE[0] - 32])
            sides = 6 + 24 * torch.rand(len(labels), 2)
            sample = DetDataSample(
                metainfo=dict(
                    img_shape=IMAGE, pad_shape=IMAGE, ori_shape=IMAGE, scale_factor=(1.0, 1.0)
                )
            )
            sample.gt_instances = InstanceData(
                bboxes=torch.cat([corners, corners + sides], dim=1),
                labels=torch.tensor(labels, dtype=torch.long),
            )
            made.append(sample)
        return made

    return make
