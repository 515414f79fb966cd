"""What a trained network is worth: metrics on validation and training data, cost at inference."""

from __future__ import annotations

import math
import statistics
import time
import zlib
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.flop_counter import FlopCounterMode

from abc_mmdet.checkpoints.conversion import to_plain
from abc_mmdet.datasets.events import EventSequenceDataset
from abc_mmdet.errors import UserError
from abc_mmdet.evaluation import SmallObjectMetric
from abc_mmdet.evaluation.average_precision import CocoMetrics
from abc_mmdet.evaluation.bootstrap import HEADLINE, group_numbers, headline_ap, resampled_ap
from abc_mmdet.evaluation.matching import MatchTable, in_order
from abc_mmdet.utils.wrapped import leaves
from mmdet.registry import DATASETS, METRICS, MODELS

TRAIN_IMAGES = 128  # of the training set, evenly spread, for the gap between train and val


@METRICS.register_module()
class MatchedObjectMetric(SmallObjectMetric):
    """:class:`SmallObjectMetric` that keeps which detection found which box.

    Attributes:
        matches: of the last evaluation, by area.
        groups: number of its recording for each image, in the order of their ids; None for images
            that belong to none.

    Examples:
        >>> METRICS.build(dict(type='MatchedObjectMetric')).max_dets
        (100, 1000)
    """

    matches: MatchTable
    groups: list[int] | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recordings: dict[int, str] = {}

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        super().process(data_batch, data_samples)
        for sample in data_samples:
            name = sample.get('recording')
            if name is not None and self._recordings.setdefault(sample['img_id'], name) != name:
                raise UserError(
                    f'A frame of {name} has the number of one of '
                    f'{self._recordings[sample["img_id"]]}: evaluate the recordings of one '
                    'EventSequenceDataset.'
                )

    def evaluate_records(
        self,
        images: Sequence[dict],
        annotations: Sequence[dict],
        detections: Sequence[dict],
        category_ids: Sequence[int | str],
        keep: Sequence[str] = ('all', 's'),
    ) -> tuple[dict[str, float], dict[str, CocoMetrics]]:
        metrics, by_protocol = super().evaluate_records(
            images, annotations, detections, category_ids, keep
        )
        self.matches = by_protocol[self.main_protocol].matches
        self.groups = None
        if self._recordings:
            counted = self.counted(images, annotations, [], category_ids).images
            ids = in_order(image['id'] for image in counted)
            self.groups = group_numbers(self._recordings.get(i) for i in ids)
        return metrics, by_protocol

    @property
    def max_dets(self) -> tuple[int, int]:
        """Detections per image and class that ``bbox_mAP`` looks at, and the others."""
        return min(self.proposal_nums), max(self.proposal_nums)


def evaluate(model: BaseModel, config: Config) -> dict[str, Any]:
    """Metrics of a model, named as result files have them.

    Returns:
        ``figures`` of the validation data, all that :class:`SmallObjectMetric` has; the headline
        ones again as ``train_figures`` on part of the training data without augmentation, and
        ``resampled`` as :func:`resampled_ap` gives them, frames of a recording drawn together;
        ``judged_on`` says which images and boxes these were.

    Raises:
        UserError: the experiment is evaluated by another metric.
        RuntimeError: the metric and the bootstrap disagree about the very same detections.
    """
    metric = _metric(config)
    metrics = _evaluate(model, config.val_dataloader, metric)
    ground_truth = np.stack([matches.positives for matches in metric.matches['all']])
    images = ground_truth.shape[1]
    _check_agreement(metrics, metric, images)
    train_metrics = _evaluate(model, train_subset(config), _metric(config, of_samples=True))
    return dict(
        figures=metrics,
        train_figures={name: train_metrics.get(name, float('nan')) for name in HEADLINE},
        judged_on=dict(images=images, truth=f'{zlib.crc32(ground_truth.tobytes()):08x}'),
        resampled=resampled_ap(
            metric.matches, metric.small_labels, groups=metric.groups, max_dets=metric.max_dets
        ),
    )


def train_subset(config: Config) -> dict:
    """A loader of :data:`TRAIN_IMAGES` training images, prepared as validation images are.

    Of recordings as many whole ones as have so many labelled frames.
    """
    loader = deepcopy(config.val_dataloader)
    options, *others = leaves(config.train_dataloader.dataset)
    if others:
        raise UserError(
            'train_dataloader joins several data sets; a variant of the ablation is trained on one.'
        )
    pipeline = deepcopy(loader.dataset.pipeline)
    if 'meta_keys' in pipeline[-1]:  # clips have it anyway
        # Ground truth is taken from the samples: the annotation file has that of all images.
        pipeline[-1]['meta_keys'] = (*pipeline[-1]['meta_keys'], 'instances')
    dataset = DATASETS.build(deepcopy(dict(options, pipeline=pipeline, test_mode=True)))
    if isinstance(dataset, EventSequenceDataset):
        number = len(dataset.sequences)
        frames = sum(len(sequence.frame_steps) for sequence in dataset.sequences)
        wanted = min(number, math.ceil(TRAIN_IMAGES * number / max(frames, 1)))
        recordings = [i * number // wanted for i in range(wanted)]
        return dict(loader, dataset=dataset, sampler=dict(loader.sampler, recordings=recordings))
    wanted = min(TRAIN_IMAGES, len(dataset))
    dataset.get_subset_([i * len(dataset) // wanted for i in range(wanted)])
    return dict(loader, dataset=dataset)


def _metric(config: Config, of_samples: bool = False) -> MatchedObjectMetric:
    options = dict(config.val_evaluator)
    if options.get('type') != 'SmallObjectMetric':
        raise UserError(
            f'val_evaluator is a {options.get("type")}; the variants of an ablation are '
            'evaluated by SmallObjectMetric.'
        )
    if of_samples:
        options.pop('ann_file', None)
    return METRICS.build(dict(options, type='MatchedObjectMetric'))


@torch.no_grad()
def _evaluate(
    model: BaseModel, loader_config: dict, metric: MatchedObjectMetric
) -> dict[str, float]:
    loader = Runner.build_dataloader(loader_config, seed=0)
    metric.dataset_meta = loader.dataset.metainfo
    model.eval()
    for batch in loader:
        samples = [sample.to_dict() for sample in model.test_step(batch)]
        metric.process(batch, samples)
    metrics = metric.evaluate(len(loader.dataset))
    return {name.rpartition('/')[2]: value for name, value in metrics.items()}


def _check_agreement(metrics: dict[str, float], metric: MatchedObjectMetric, images: int) -> None:
    weights = np.ones((1, images), int)
    ours = headline_ap(metric.matches, weights, metric.small_labels, metric.max_dets)
    for name in HEADLINE:
        if abs(ours[name][0] - metrics.get(name, np.nan)) > 2e-4:
            raise RuntimeError(
                f'{name}: {metrics[name]} by the metric, {ours[name][0]} by the bootstrap.'
            )


ROUNDS = 20
WARM_UP = 3


class Inference:
    """A network with initial weights and one image of its validation data, ready to be timed.

    Such a network detects next to nothing, so that the time is that of the network itself and not
    of how many boxes a trained one would have had to sort out.

    Args:
        config: of its experiment.
        device: where it runs.

    Examples:
        >>> Inference(config, 'cpu').gflops()  # doctest: +SKIP
    """

    def __init__(self, config: Config, device: str) -> None:
        model = MODELS.build(config.model)
        model.init_weights()
        self.model = model.to(device).eval()
        sample = DATASETS.build(config.val_dataloader.dataset)[0]
        self.batch = model.data_preprocessor(pseudo_collate([sample]), training=False)
        self.on_gpu = torch.device(device).type == 'cuda'

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
