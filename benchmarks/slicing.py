"""SlicedDetector against SAHI: the same weights, images, slices and merges, in one run.

Images are mosaics of four validation images of an experiment, so that an image is larger than what
its network was trained on and objects keep their size. Both sides get the same pixels from memory;
times are from there to merged boxes, taken in turn, image by image: of the process on a CPU, which
a busy machine does not change much, on the clock with a GPU. Set OMP_NUM_THREADS=1 on a CPU.

    pip install sahi
    python benchmarks/slicing.py CONFIG CHECKPOINT [--slice 320x256] [--images 25] [--json FILE]

Beside the sliced results stand those of the network alone, on whole images: shrunk to a slice, and
in full size, which a fully convolutional network can do as long as memory lasts.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import abc_mmdet  # noqa: F401
from abc_mmdet.apis import load_experiment, sliced
from abc_mmdet.apis.options import ConfigOptions, frame_size
from abc_mmdet.checkpoints.fit import Target, load_fitting
from abc_mmdet.checkpoints.loading import read
from abc_mmdet.evaluation import SmallObjectMetric
from mmdet.registry import DATASETS, MODELS
from mmdet.structures import DetDataSample

Found = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # boxes, scores, labels
SAHI_MERGES = {'nms': 'NMS', 'nmm': 'GREEDYNMM'}
WARM_UP = 1  # images
FIGURES = ('bbox_mAP', 'bbox_mAP_50', 'bbox_mAP_tiny', 'bbox_mAP_small', 'bbox_mAP_medium')


@dataclass
class Method:
    """One way to detect in a large image, with what it found and how long it took."""

    name: str
    detect: Callable[[np.ndarray], Found]
    rival: str | None = None  # the method with the same settings that it is compared with
    times: list[float] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    def look(self, image: np.ndarray, clock: Callable[[], float]) -> None:
        begin = clock()
        found = self.detect(image)
        self.times.append(clock() - begin)
        self.found.append(found)


def mosaics(config: Config, number: int) -> tuple[list[np.ndarray], list[list[dict]], dict]:
    """Images (H, W, 3), blue, green, red, of 2 x 2 validation images each; their objects."""
    options = dict(config.val_dataloader.dataset, pipeline=[])
    dataset = DATASETS.build(options)
    chosen = np.linspace(0, len(dataset) - 1, 4 * number).round().astype(int)
    chosen = np.random.default_rng(0).permutation(chosen).reshape(number, 4)
    images, objects = [], []
    for tiles in chosen:
        infos = [dataset.get_data_info(int(i)) for i in tiles]
        parts = [mmcv.imread(info['img_path']) for info in infos]
        height, width = parts[0].shape[:2]
        parts = [mmcv.imresize(part, (width, height)) for part in parts]
        images.append(np.vstack([np.hstack(parts[:2]), np.hstack(parts[2:])]))
        objects.append(
            [
                dict(instance, bbox=moved(instance['bbox'], info, k, width, height))
                for k, info in enumerate(infos)
                for instance in info['instances']
            ]
        )
    return images, objects, dataset.metainfo


def moved(box: list[float], info: dict, tile: int, width: int, height: int) -> list[float]:
    x, y = width * (tile % 2), height * (tile // 2)
    sx, sy = width / info['width'], height / info['height']
    return [box[0] * sx + x, box[1] * sy + y, box[2] * sx + x, box[3] * sy + y]


def predict(model: torch.nn.Module, image: np.ndarray, scale: float = 1.0) -> Found:
    """Boxes in pixels of the image before it was resized by ``scale``."""
    sample = DetDataSample(
        metainfo=dict(
            img_shape=image.shape[:2], ori_shape=image.shape[:2], scale_factor=(scale, scale)
        )
    )
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    with torch.no_grad():
        (result,) = model.test_step(dict(inputs=[pixels], data_samples=[sample]))
    instances = result.pred_instances
    return instances.bboxes.cpu(), instances.scores.cpu(), instances.labels.cpu()


@dataclass(frozen=True)
class Case:
    """Settings that both sides get."""

    merge: str
    metric: str
    full_image: bool
    min_score: float | None = None  # default: the experiment's

    @property
    def title(self) -> str:
        score = '' if self.min_score is None else f', score > {self.min_score}'
        return f'{self.merge} {self.metric}{"" if self.full_image else ", no full image"}{score}'

    def config(self, config: Config) -> Config:
        config = Config(config.to_dict())
        if self.min_score is not None:
            config.model.test_cfg.score_thr = self.min_score
        return config


CASES = (
    Case('nms', 'iou', full_image=True),
    Case('nms', 'iou', full_image=False),
    Case('nmm', 'ios', full_image=True, min_score=0.1),
)


def build(config: dict, args: argparse.Namespace) -> torch.nn.Module:
    model = MODELS.build(config).eval()
    load_fitting(read(args.checkpoint), Target(model, args.config), args.checkpoint)
    return model.to(args.device)


def ours(config: Config, args: argparse.Namespace, case: Case, best_views: bool = True) -> Callable:
    merge = dict(type=case.merge, threshold=0.5, metric=case.metric)
    settings = args.slice, args.overlap, args.batch_size, case.full_image, merge
    model = build(dict(sliced(case.config(config), *settings).model, best_views=best_views), args)
    return lambda image: predict(model, image)


def network(config: Config, args: argparse.Namespace, shrink: bool) -> Callable:
    model = build(config.model, args)

    def detect(image: np.ndarray) -> Found:
        scale = 1.0
        if shrink:
            image, scale = mmcv.imrescale(image, args.slice, return_scale=True)
        return predict(model, image, scale)

    return detect


def sahi(config: Config, args: argparse.Namespace, case: Case) -> Callable:
    """SAHI with its own model type for MMDetection."""
    try:
        from sahi.models.mmdet import MmdetDetectionModel
        from sahi.predict import get_sliced_prediction
    except ImportError as error:
        raise SystemExit(f'This compares with SAHI: pip install sahi ({error})') from None
    plain = case.config(config)
    plain.test_dataloader.dataset.pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=args.slice, keep_ratio=True),
        dict(
            type='PackDetInputs', meta_keys=('img_path', 'ori_shape', 'img_shape', 'scale_factor')
        ),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / 'config.py')
        plain.dump(path)
        # SAHI resizes to a square that the slice fits in
        model = MmdetDetectionModel(
            args.checkpoint,
            config_path=path,
            device=args.device,
            confidence_threshold=plain.model.test_cfg.score_thr,
            image_size=max(args.slice),
        )

    def detect(image: np.ndarray) -> Found:
        result = get_sliced_prediction(
            np.ascontiguousarray(image[:, :, ::-1]),
            model,
            slice_width=args.slice[0],
            slice_height=args.slice[1],
            overlap_width_ratio=args.overlap,
            overlap_height_ratio=args.overlap,
            perform_standard_pred=case.full_image,
            postprocess_type=SAHI_MERGES[case.merge],
            postprocess_match_metric=case.metric.upper(),
            postprocess_match_threshold=0.5,
            force_postprocess_type=True,
            batch_size=args.batch_size,
            verbose=0,
        ).object_prediction_list
        return (
            torch.tensor([found.bbox.to_xyxy() for found in result]).reshape(-1, 4),
            torch.tensor([found.score.value for found in result]),
            torch.tensor([found.category.id for found in result], dtype=torch.long),
        )

    return detect


def methods(config: Config, args: argparse.Namespace) -> list[Method]:
    listed = [
        Method('network, image shrunk to a slice', network(config, args, shrink=True)),
        Method('network, image in full size', network(config, args, shrink=False)),
    ]
    for case in CASES:
        rival = f'SAHI, {case.title}'
        listed += [
            Method(rival, sahi(config, args, case)),
            Method(f'ours, all views, {case.title}', ours(config, args, case, False), rival),
            Method(f'ours, {case.title}', ours(config, args, case), rival),
        ]
    fusion = Case('wbf', 'iou', full_image=True)
    return [*listed, Method(f'ours, {fusion.title}', ours(config, args, fusion))]


def accuracy(method: Method, images: list, objects: list, metainfo: dict) -> dict[str, float]:
    metric = SmallObjectMetric(small_classes='all')
    metric.dataset_meta = metainfo
    for number, found in enumerate(method.found):
        instances = dict(zip(('bboxes', 'scores', 'labels'), found, strict=True))
        sample = dict(
            img_id=number,
            ori_shape=images[number].shape[:2],
            instances=objects[number],
            pred_instances=instances,
        )
        metric.process({}, [sample])
    figures = metric.evaluate(len(images))
    return {name: figures.get(f'coco/{name}', float('nan')) for name in FIGURES}


def measure(args: argparse.Namespace) -> list[dict]:
    init_default_scope('mmdet')
    config = load_experiment(args.config, args.cfg_options)
    images, objects, metainfo = mosaics(config, args.images)
    compared = methods(config, args)
    clock = time.process_time if args.device == 'cpu' else time.perf_counter
    for number, image in enumerate([*images[:WARM_UP], *images]):
        for method in compared:
            method.look(image, clock)
        if number < WARM_UP:
            for method in compared:
                method.times.clear()
                method.found.clear()
    by_name = {method.name: method for method in compared}
    rows = []
    for method in compared:
        row = dict(method=method.name, images_per_s=len(images) / sum(method.times))
        if method.rival is not None:
            rival = by_name[method.rival]
            ratios = [r / t for t, r in zip(method.times, rival.times, strict=True)]
            row['speed_ratio'] = statistics.median(ratios)
        rows.append({**row, 'device': args.device, **accuracy(method, images, objects, metainfo)})
    return rows


def show(rows: list[dict]) -> None:
    names = [name.removeprefix('bbox_') for name in FIGURES]
    head = ''.join(f'{name:>11}' for name in names)
    print(f'{"method":<44}{"images/s":>9}{"ratio":>7}{head}')
    for row in rows:
        ratio = f'{row["speed_ratio"]:.2f}' if 'speed_ratio' in row else ''
        figures = ''.join(f'{row[name]:>11.4f}' for name in FIGURES)
        print(f'{row["method"]:<44}{row["images_per_s"]:>9.2f}{ratio:>7}{figures}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--slice', type=frame_size, default=(320, 256), help='WIDTHxHEIGHT')
    parser.add_argument('--overlap', type=float, default=0.2)
    parser.add_argument('--batch-size', type=int, default=4)
    parser.add_argument('--images', type=int, default=25, help='mosaics of four images each')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='overrides')
    parser.add_argument('--json', type=Path, help='write the rows to this file')
    args = parser.parse_args()
    rows = measure(args)
    show(rows)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + '\n')


if __name__ == '__main__':
    main()
