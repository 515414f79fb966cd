"""What a network costs at inference, as a ratio to another one."""

from __future__ import annotations

import statistics
import time

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch.utils.flop_counter import FlopCounterMode

from abc_mmdet.checkpoints.plain import to_plain
from mmdet.registry import DATASETS, MODELS

ROUNDS = 20
WARM_UP = 3


class Inference:
    """A network with initial weights and one image of its validation data, ready to be timed.

    Such a network detects next to nothing, so that the time is that of the network itself and not
    of how many boxes a trained one would have had to sort out.

    Args:
        config: of its experiment.
        device: where it runs.
    """

    def __init__(self, config: Config, device: str) -> None:
        model = MODELS.build(config.model)
        model.init_weights()
        self.model = model.to(device).eval()
        sample = DATASETS.build(config.val_dataloader.dataset)[0]
        self.batch = model.data_preprocessor(pseudo_collate([sample]), training=False)
        self.on_gpu = self.batch['inputs'].is_cuda

    @torch.no_grad()
    def seconds(self) -> float:
        """Network and post-processing of the image."""
        begin = self._clock()
        self.model.predict(self.batch['inputs'], self.batch['data_samples'])
        return self._clock() - begin

    @torch.no_grad()
    def gflops(self) -> float:
        """Billions of floating-point operations of the network for the image, all its slices."""
        with FlopCounterMode(display=False) as counter:
            self.model._forward(self.batch['inputs'], self.batch['data_samples'])
        return counter.get_total_flops() / 1e9

    def parameters_m(self) -> float:
        """Millions of parameters, without those for training only."""
        plain = to_plain(dict(self.model.named_parameters()))
        return sum(parameter.numel() for parameter in plain.values()) / 1e6

    def _clock(self) -> float:
        if self.on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter()


def inference_cost(config: Config, baseline: Config, device: str) -> dict[str, float]:
    """Cost of an experiment's network for one image.

    The baseline is timed beside it, image by image in turn, so that whatever else the machine does
    slows both.

    Returns:
        ``latency_ms`` (median), ``latency_ratio`` (median of the ratios to the baseline),
        ``gflops`` and ``parameters_m``.
    """
    ours, theirs = Inference(config, device), Inference(baseline, device)
    times = []
    for each in range(ROUNDS + WARM_UP):
        pair = (ours.seconds(), theirs.seconds())
        if each >= WARM_UP:
            times.append(pair)
    return dict(
        latency_ms=statistics.median(mine for mine, _ in times) * 1e3,
        latency_ratio=statistics.median(mine / base for mine, base in times),
        gflops=ours.gflops(),
        parameters_m=ours.parameters_m(),
    )
