"""Images per second of one detector in PyTorch, ONNX Runtime and OpenVINO, in turn, image by image.

Every engine gets the same image files' pixels from memory, and its time is from there to boxes:
preparing, network, suppression. Times are of the process on a CPU, with one thread, which a busy
machine does not change much.

    OMP_NUM_THREADS=1 python benchmarks/engines.py CONFIG CHECKPOINT FOLDER MODEL.onnx [MORE.onnx]
        [--images 30] [--slice 320x256] [--json FILE]
"""

import argparse
import importlib.util
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch

import abc_mmdet  # noqa: F401
from abc_mmdet.apis import frame_size, user_messages
from abc_mmdet.apis.options import whole_number
from abc_mmdet.deployment import OnnxDetector
from abc_mmdet.inference import Detector
from abc_mmdet.inference.images import read_image
from abc_mmdet.inference.sources import find_sources
from abc_mmdet.utils.atomic_write import atomic_write

WARM_UP = 2  # images


def detectors(args: argparse.Namespace) -> dict[str, Any]:
    slicing = dict(slice_size=args.slice) if args.slice else None
    found: dict[str, Any] = {'PyTorch': Detector(args.config, args.checkpoint, 'cpu', slicing)}
    has_openvino = importlib.util.find_spec('openvino') is not None
    for path in args.models:
        name = Path(path).name
        found[f'ONNX Runtime, {name}'] = OnnxDetector(path, 'cpu', 1, slicing)
        if has_openvino:
            found[f'OpenVINO, {name}'] = OnnxDetector(path, 'cpu', 1, slicing, 'openvino')
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('folder', help='of images')
    parser.add_argument('models', nargs='+', help='files of export_onnx.py')
    parser.add_argument('--images', type=whole_number, default=30)
    parser.add_argument('--slice', type=frame_size, metavar='WxH')
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    images = [read_image(s.path) for s in find_sources([args.folder])[: args.images + WARM_UP]]
    of_name = detectors(args)
    times: dict[str, list[float]] = {name: [] for name in of_name}
    number: dict[str, int] = dict.fromkeys(of_name, 0)
    for image in images:
        for name, detector in of_name.items():
            begin = time.process_time()
            found = detector(image)
            times[name].append(time.process_time() - begin)
            number[name] += len(found.above(0.3))
    rows = {}
    first = statistics.median(next(iter(times.values()))[WARM_UP:])
    for name, of_images in times.items():
        median = statistics.median(of_images[WARM_UP:])
        rows[name] = dict(
            images_per_second=1 / median, ratio=first / median, detections=number[name]
        )
        print(
            f'{name:40} {1 / median:6.1f} images/s  {first / median:5.2f} times PyTorch, '
            f'{number[name]} detections from 0.3 on'
        )
    if args.json:
        atomic_write(args.json, json.dumps(rows, indent=1).encode())


if __name__ == '__main__':
    with user_messages():
        main()
