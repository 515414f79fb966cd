"""What each of two processes does that test_many_processes.py starts, and one alone to compare."""

import importlib
import sys
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.dist import all_reduce
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import nn

from abc_mmdet.apis import join_processes
from abc_mmdet.datasets.events import EventSequenceDataset, RecordingSampler, StreamBatchSampler
from abc_mmdet.datasets.samplers import SmallObjectSampler
from abc_mmdet.errors import UserError
from abc_mmdet.evaluation import SmallObjectMetric
from mmdet.registry import MODELS
from mmdet.structures import TrackDataSample
from mmdet.testing import demo_mm_inputs
from mmdet.utils import register_all_modules

ROOT = Path(__file__).parents[1]
CLASSES = ('pedestrian', 'car')
SIZES = range(1, 8)

# What each of four images shows; a process has two of them. Of the classes of the config, 0 is
# small and 1 is not.
LABELS = {
    'small objects everywhere': [[0, 1], [0], [0, 0], [1, 0]],
    'none of them in one process': [[0, 1], [0], [1, 1], [1]],
    'nothing at all in one process': [[0, 1], [0, 0, 0], [], []],
}


# --- evaluation ---------------------------------------------------------------------------------


def evaluated(frames: Sequence[int], size: int) -> tuple[dict, list[int]]:
    """Metrics of this process's frames, and the frames that all processes evaluated (process 0)."""
    metric = SmallObjectMetric(small_classes=CLASSES[:1])
    metric.dataset_meta = dict(classes=CLASSES)
    for frame in frames:
        metric.process({}, [found_in(frame)])
    with mock.patch.object(metric, 'compute_metrics', wraps=metric.compute_metrics) as compute:
        metrics = metric.evaluate(size)
    seen = [truth['img_id'] for truth, _ in compute.call_args.args[0]] if compute.called else []
    return metrics, seen


def found_in(frame: int) -> dict:
    """Two objects, one of which is found at the right place, and something that is not there."""
    rng = np.random.default_rng(frame)
    corners = rng.uniform(0, 50, (3, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 30, (3, 2))], axis=1)
    labels = rng.integers(0, 2, 3)
    return dict(
        img_id=frame,
        ori_shape=(100, 100),
        instances=[
            dict(bbox=box.tolist(), bbox_label=int(label), ignore_flag=0)
            for box, label in zip(boxes[:2], labels, strict=False)
        ],
        pred_instances=dict(
            bboxes=torch.from_numpy(boxes[1:]),
            labels=torch.from_numpy(labels[1:]),
            scores=torch.from_numpy(rng.uniform(0, 1, 2)),
        ),
    )


def image_frames(size: int) -> list[int]:
    return list(DefaultSampler(range(size), shuffle=False))


def recordings(folder: Path, size: int) -> EventSequenceDataset:
    return EventSequenceDataset(
        data_root=str(folder),
        data_prefix=dict(recordings=f'{size}/'),
        clip_length=3,
        test_mode=True,
    )


def event_frames(dataset: EventSequenceDataset) -> list[int]:
    sampler = RecordingSampler(dataset, seed=0, shuffle=False, infinite=False)
    clips = chain.from_iterable(StreamBatchSampler(sampler, batch_size=2))
    return [frame['img_id'] for clip in clips for frame in dataset.get_data_info(clip)['frames']]


# --- losses -------------------------------------------------------------------------------------


def image_detector() -> tuple[nn.Module, Callable[[str], dict]]:
    """A detector whose normalisation does not mix samples, and its batches of four."""
    config = Config.fromfile(ROOT / 'configs/small/abc_synthetic.py').model
    norm = dict(type='GN', num_groups=4)
    config.backbone.widen_factor = 0.125
    config.neck.in_channels = [16, 32, 64, 128]
    head = config.bbox_head
    for part in (config.backbone, config.neck, head.main_head, head.aux_head):
        part.norm_cfg = norm

    def batch(case: str) -> dict:
        labels = LABELS[case]
        data = demo_mm_inputs(4, [[3, 64, 96]] * 4, num_items=list(map(len, labels)))
        for sample, of_image in zip(data['data_samples'], labels, strict=True):
            sample.gt_instances.labels = torch.tensor(of_image, dtype=torch.long)
        return data

    torch.manual_seed(0)
    model = MODELS.build(config)
    model.init_weights()
    return model.train(), batch


def learnt(model: nn.Module, batch: dict) -> dict:
    """Losses of a batch, as means over the processes, and gradients."""
    model.zero_grad()
    inner = getattr(model, 'module', model)
    losses = model(**inner.data_preprocessor(batch, True), mode='loss')
    loss, log = inner.parse_losses(losses)
    loss.backward()
    seen = {name: value.detach().clone() for name, value in log.items() if 'loss' in name}
    for value in seen.values():
        all_reduce(value, 'mean')
    return {**seen, **{name: p.grad.clone() for name, p in inner.named_parameters()}}


def streamed_weights(rank: int) -> dict:
    """Of a streaming detector after two steps, in which process 1 has no labelled frame."""
    config = Config.fromfile(ROOT / 'configs/small/abc_synthetic_events.py').model
    torch.manual_seed(0)
    model = MODELS.build(config).train()
    model.init_weights()
    wrapped = MMDistributedDataParallel(model, broadcast_buffers=False)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    for start in (0, 2):
        clip = TrackDataSample(
            metainfo=dict(recording=rank, seed=0, start=start, stop=start + 2, streamed=True)
        )
        if rank == 0:
            (sample,) = demo_mm_inputs(1, [[3, 64, 96]], num_items=[3], num_classes=8)[
                'data_samples'
            ]
            sample.set_metainfo(dict(step=1))
            clip.video_data_samples = [sample]
        events = torch.randint(0, 11, (2, 20, 64, 96), dtype=torch.uint8)
        log = wrapped.train_step(dict(inputs=[events], data_samples=[clip]), wrapper)
        assert log['loss'].isfinite()
    return {name: p.detach() for name, p in model.named_parameters()}


# --- numbers that go wrong ----------------------------------------------------------------------


def bad_batches(folder: Path) -> dict:
    """Runs whose batches 4 and 9 have a bad image in process 1: left out, or stopped at."""
    hook_test = importlib.import_module('test_loss_hooks')

    def run(name: str, max_skipped: int) -> tuple[dict, str]:
        bad = {7: float('nan')}
        with mock.patch.object(hook_test, 'ConfigDict', in_two_processes):
            runner = hook_test.build(folder / name, bad, dict(max_skipped=max_skipped))
        try:
            runner.train()
            message = ''
        except UserError as error:
            message = str(error)
        return {k: v.detach() for k, v in runner.model.module.named_parameters()}, message

    return dict(skipped=run('skipped', 2), stopped=run('stopped', 0))


def in_two_processes(**fields: object) -> ConfigDict:
    config = ConfigDict(**fields, launcher='pytorch')
    join_processes(config)
    return config


# --- the program --------------------------------------------------------------------------------


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    register_all_modules(init_default_scope=True)
    join_processes(Config(dict(launcher='pytorch', env_cfg=dict(dist_cfg=dict(backend='nccl')))))
    rank = torch.distributed.get_rank()
    seen: dict = dict(images={}, events={})
    for size in SIZES:
        seen['images'][size] = evaluated(image_frames(size), size)
        dataset = recordings(folder, size)
        seen['events'][size] = evaluated(event_frames(dataset), len(dataset))
    model, batch = image_detector()
    model = MMDistributedDataParallel(model, broadcast_buffers=False)
    for case in LABELS:
        data = {key: part[2 * rank :][:2] for key, part in batch(case).items()}
        seen[case] = learnt(model, data)
    seen['streamed'] = streamed_weights(rank)
    seen['orders'] = [list(map(int, take(s, 20))) for s in training_samplers()]
    seen['bad batches'] = bad_batches(folder)
    torch.save(seen, folder / f'rank_{rank}.pt')
    torch.distributed.destroy_process_group()


class Images(list):
    """Images with as many small objects as their number says."""

    metainfo = dict(classes=CLASSES)

    def get_data_info(self, index: int) -> dict:
        return dict(instances=[dict(bbox=[0, 0, 9, 9], bbox_label=0)] * index)


def training_samplers() -> list:
    images = Images(range(7))
    return [InfiniteSampler(images, seed=3), SmallObjectSampler(images, CLASSES[:1], seed=3)]


def take(numbers, count: int) -> list:
    iterator = iter(numbers)
    return [next(iterator) for _ in range(count)]


if __name__ == '__main__':
    main(Path(sys.argv[1]))
