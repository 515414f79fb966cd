"""What many tests need: MMDetection's scope, pyramids and ground truth."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from .warm_python import cut_short

if TYPE_CHECKING:  # else imported by pytest_configure, where there are tests to run
    import torch
    from mmengine.config import Config
    from torch import Tensor

    from mmdet.structures import DetDataSample

ROOT = Path(__file__).parents[1]
IMAGE = (64, 96)  # height, width

# A busy machine is no failure, and the examples of a CI run are the same ones every time.
# Those of `make test-all` are as many as usual.
settings.register_profile(
    'abc_mmdet',
    deadline=None,
    derandomize='CI' in os.environ,
    max_examples=100 if os.environ.get('COLD_TOOLS') else 25,
)
settings.load_profile('abc_mmdet')


def pytest_configure(config: pytest.Config) -> None:
    """Import the package before a test file imports MMDetection without it.

    Not in the process that only hands tests to others: they start once it has begun.
    """
    if hasattr(config, 'workerinput') or config.getoption('dist', 'no') == 'no':
        import abc_mmdet  # noqa: F401


@pytest.fixture(scope='session', autouse=True)
def default_scope() -> None:
    import torch

    from mmdet.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    if not os.environ.get('COLD_TOOLS'):
        cut_short()
    gc.collect()
    gc.freeze()  # all that was imported: half a second for each collection of garbage
    # The tensors here are small: more threads only wait for each other, in child processes too.
    torch.set_num_threads(1)
    os.environ['OMP_NUM_THREADS'] = '1'
    # Tools run as processes use this checkout first
    others = [p for p in os.environ.get('PYTHONPATH', '').split(os.pathsep) if p]
    os.environ['PYTHONPATH'] = os.pathsep.join([str(ROOT), *others])


@pytest.fixture(autouse=True)
def seed() -> None:
    import torch

    torch.manual_seed(0)


@pytest.fixture
def cpu_autocast() -> Callable[[torch.dtype], torch.autocast]:
    """``torch.autocast`` on the CPU; skips where this PyTorch has it for bfloat16 alone."""

    def make(dtype: torch.dtype) -> torch.autocast:
        import torch

        try:
            with torch.autocast('cpu', dtype=dtype):
                return torch.autocast('cpu', dtype=dtype)
        except RuntimeError as error:
            pytest.skip(str(error))

    return make


@pytest.fixture
def pyramid() -> Callable[..., tuple[Tensor, ...]]:
    """Random features of a pyramid for images of 96 x 64 px."""
    import torch

    def make(strides: Sequence[int], channels: int = 8, batch: int = 2) -> tuple[Tensor, ...]:
        return tuple(
            torch.randn(batch, channels, IMAGE[0] // s, IMAGE[1] // s, requires_grad=True)
            for s in strides
        )

    return make


@pytest.fixture(scope='session')
def random_weights() -> Callable[[Config, Path], Config]:
    """Writes a checkpoint of a config's detector that finds something everywhere; the config."""
    import torch

    from mmdet.registry import MODELS

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
    import torch
    from mmengine.structures import InstanceData

    from mmdet.structures import DetDataSample

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
