"""Our network, loss, evaluation and zoom against RVT's own code, on the same inputs and weights.

    python benchmarks/compare_with_rvt.py --rvt FOLDER [--cases 200] [--json FILE]

FOLDER is a clone of RVT (Gehrig and Scaramuzza, CVPR 2023, github.com/uzh-rpg/RVT); of it the
model, the evaluation and the augmentation are imported, which need omegaconf and einops. A row per
comparison: what was compared, over how many cases, the largest difference, and the one allowed.
Differences of features, outputs and losses are relative to the largest value, those of gradients to
the norm of RVT's. Exit code 1 if one is larger than allowed.
"""

import argparse
import contextlib
import io
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rvt_comparison import evaluation, loss, network, zoom
from rvt_comparison.row import Row, rvt_module

import abc_mmdet  # noqa: F401
from abc_mmdet.utils.atomic_write import replace_file
from mmdet.registry import MODELS


def our_head() -> torch.nn.Module:
    """The head of configs/rvt_evaluation.py, which trains as configs/baseline_3level_100k.py."""
    model = Config.fromfile(network.CONFIG.with_name('rvt_evaluation.py')).model
    parts = dict(num_classes=loss.CLASSES, train_cfg=model.train_cfg, test_cfg=model.test_cfg)
    return MODELS.build(dict(model.bbox_head, **parts))


def comparisons(options: argparse.Namespace) -> Iterator[Row]:
    """All rows, as they come."""
    for arch in options.archs:
        yield from network.compare_networks(options.rvt, arch, options.steps)
    head = our_head()
    yolox = rvt_module('models.detection.yolox.models.yolo_head').YOLOXHead(
        loss.CLASSES, loss.STRIDES, (8, 16, 32)
    )
    yield from loss.compare_losses(
        lambda *scene: loss.our_loss(head, *scene),
        lambda *scene: loss.rvt_loss(yolox, *scene),
        options.cases,
    )
    postprocess = rvt_module('models.detection.yolox.utils.boxes').postprocess
    yield from evaluation.compare_detections(head, postprocess, options.cases)
    evaluate_list = rvt_module('utils.evaluation.prophesee.evaluation').evaluate_list
    yield from evaluation.compare_ap(evaluate_list, max(1, options.cases // 10))
    names = ('data.utils.augmentor', 'data.genx_utils.labels', 'data.utils.types')
    yield from zoom.compare_zooms(zoom.rvt_zoom(*map(rvt_module, names)), options.cases)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--rvt', type=Path, required=True, metavar='FOLDER', help='clone of RVT')
    parser.add_argument('--archs', nargs='*', default=['base'], choices=['base', 'small', 'tiny'])
    parser.add_argument('--steps', type=int, default=3, help='of a stream, for the network')
    parser.add_argument('--cases', type=int, default=200, help='random cases of the others')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the rows here, too')
    options = parser.parse_args()
    if not (options.rvt / 'models/detection').is_dir():
        parser.error(f'--rvt: {options.rvt} is no clone of RVT; it has no models/detection')
    if options.steps < 1 or options.cases < 1:
        parser.error('--steps and --cases must be positive')
    if options.json and not options.json.parent.is_dir():
        parser.error(f'--json: there is no folder {options.json.parent}; create it first')
    return options


def main() -> int:
    options = parse_options()
    sys.path.append(str(options.rvt.resolve()))
    warnings.filterwarnings('ignore')
    init_default_scope('mmdet')
    torch.manual_seed(0)
    print(f'{"":<36}{"cases":>7}{"difference":>12}{"allowed":>9}')
    rows = []
    found = comparisons(options)
    while True:
        with contextlib.redirect_stdout(io.StringIO()):  # COCO's tools talk
            row = next(found, None)
        if row is None:
            break
        rows.append(row)
        verdict = '' if row.holds else '  LARGER'
        print(
            f'{row.what:<36}{row.cases:>7}{row.difference:>12.1e}{row.allowed:>9.0e}{verdict}',
            flush=True,
        )
    if options.json:
        content = [dict(vars(row), holds=row.holds) for row in rows]
        replace_file(options.json, (json.dumps(content, indent=2) + '\n').encode())
    return 0 if all(row.holds for row in rows) else 1


if __name__ == '__main__':
    sys.exit(main())
