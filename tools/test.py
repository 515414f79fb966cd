"""Evaluate a checkpoint: python tools/test.py CONFIG CHECKPOINT. Options as in MMDetection."""

import argparse
import os
from copy import deepcopy
from pathlib import Path

import abc_mmdet  # noqa: F401  first: it says in a word when its import is interrupted

# isort: split
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from abc_mmdet.apis import (
    add_slice_arguments,
    check_checkpoint,
    check_data,
    config_mistakes,
    file_mistakes,
    join_processes,
    load_experiment,
    make_work_dir,
    prepare_run,
    sliced,
    slicing_of,
    user_messages,
)
from abc_mmdet.apis.config_parts import common, type_name
from abc_mmdet.apis.console import ShortRunner, add_verbose_option, short_console
from abc_mmdet.apis.options import ConfigOptions, real_number
from abc_mmdet.apis.output_files import check_outputs, dumped_config, make_folders
from abc_mmdet.apis.progress import has_table, result_line
from abc_mmdet.apis.test_record import InputSizes, record_path, write_record
from abc_mmdet.checkpoints.loading import add_trust_option
from abc_mmdet.custom_dataset import check_annotation_files, issue_lines
from abc_mmdet.datasets.annotations.checks import PROBLEM
from abc_mmdet.errors import UserError
from abc_mmdet.utils.wrapped import walk
from mmdet.engine.hooks.utils import trigger_visualization_hook
from mmdet.evaluation import CocoMetric, DumpDetResults
from mmdet.registry import RUNNERS
from mmdet.utils import setup_cache_size_limit_of_dynamo

COCO_RESULTS = '.bbox.json'
FLIP_META_KEYS = (
    'img_id',
    'img_path',
    'ori_shape',
    'img_shape',
    'scale_factor',
    'flip',
    'flip_direction',
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Evaluate a checkpoint.')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='where logs, metrics and images go')
    parser.add_argument(
        '--out',
        help='write all detections: NAME.bbox.json as COCO results, for '
        'tools/analysis_tools/report.py (NAME alone means the same), NAME.pkl as in MMDetection',
    )
    parser.add_argument('--show', action='store_true', help='show the images in windows')
    parser.add_argument(
        '--show-dir',
        help='write images, ground truth beside detections, to this folder below '
        'WORK_DIR/TIMESTAMP',
    )
    parser.add_argument('--wait-time', type=real_number, default=2, help='seconds per shown image')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    add_slice_arguments(parser)
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        help='overrides, as key.subkey=value; lists as key="[a,b]". data_root, classes and '
        'small_classes also change what the config derived from them',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed run are started',
    )
    add_trust_option(parser)
    add_verbose_option(parser)
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    args.slicing = slicing_of(args)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def apply_options(config: Config, args: argparse.Namespace) -> None:
    """Put the command line's options into the config, as MMDetection's tool does."""
    config.launcher = args.launcher
    config.load_from = args.checkpoint
    if args.out and args.out.endswith('.json') and not args.out.endswith(COCO_RESULTS):
        raise UserError(f'--out {args.out}: the file name must end in {COCO_RESULTS} or .pkl.')
    if args.show or args.show_dir:
        trigger_visualization_hook(config, args)
    if args.tta:
        use_test_time_augmentation(config)


def use_test_time_augmentation(config: Config) -> None:
    """Wrap model and pipeline; a config without ``tta_*`` gets the horizontal flip."""
    tta_model = config.get('tta_model') or dict(
        type='DetTTAModel',
        tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
    )
    pipeline = config.get('tta_pipeline')
    if pipeline is None:
        flips = [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)]
        pipeline = deepcopy(common(config, 'test_dataloader', 'pipeline'))
        if not pipeline:
            raise UserError('--tta: test_dataloader.dataset has no pipeline to vary.')
        more = [key for key in pipeline[-1].get('meta_keys', ()) if key not in FLIP_META_KEYS]
        pack = dict(type='PackDetInputs', meta_keys=(*FLIP_META_KEYS, *more))
        # Ground truth is of the image as it is, so it is loaded after what moves it
        is_truth = ['LoadAnnotations' in type_name(step) for step in pipeline[:-1]]
        truth = [[step] for step, of_truth in zip(pipeline, is_truth, strict=False) if of_truth]
        others = [step for step, of_truth in zip(pipeline, is_truth, strict=False) if not of_truth]
        pipeline = [*others, dict(type='TestTimeAug', transforms=[flips, *truth, [pack]])]
    config.model = ConfigDict(**tta_model, module=config.model)
    for _, dataset in walk(config.test_dataloader.dataset):
        if 'pipeline' in dataset:
            dataset.pipeline = pipeline


def results_file(out: str | None) -> str | None:
    """What :func:`write_detections` writes."""
    if out is None or out.endswith(('.pkl', '.pickle')):
        return out
    return out.removesuffix(COCO_RESULTS) + COCO_RESULTS


def write_detections(runner: Runner, path: str) -> None:
    """Let the evaluation write what was detected; the file's name says in which form."""
    metrics = runner.test_evaluator.metrics
    if path.endswith(('.pkl', '.pickle')):
        metrics.append(DumpDetResults(out_file_path=path))
        return
    coco = [metric for metric in metrics if isinstance(metric, CocoMetric)]
    if not coco:
        raise UserError(
            f'--out {path}: only CocoMetric and SmallObjectMetric write COCO results, and '
            'test_evaluator has none of them; NAME.pkl works with any.'
        )
    coco[0].outfile_prefix = path.removesuffix(COCO_RESULTS)


def print_summary(runner: Runner, metrics: dict[str, float], args: argparse.Namespace) -> None:
    """The last lines: where the images are, metrics that no table has shown, the result."""
    if args.show_dir:
        print(f'images: {Path(runner.work_dir) / runner.timestamp / args.show_dir}')
    if args.verbose or not has_table(runner.test_evaluator):
        for name, value in metrics.items():
            print(f'{name.removeprefix("coco/")}: {value:.3f}')
    print(result_line(metrics, args.checkpoint))


def main() -> None:
    args = parse_args()
    setup_cache_size_limit_of_dynamo()
    config = load_experiment(args.config, args.cfg_options, args.work_dir)
    if args.slicing:
        config = sliced(config, **args.slicing)
    apply_options(config, args)
    check_outputs({'the config in --work-dir': dumped_config(config)}, [config.filename])
    results = results_file(args.out)
    record = record_path(results) if results and results.endswith(COCO_RESULTS) else None
    outputs = {'--out': results, 'the record of --out': record}
    check_outputs(outputs, [args.config, args.checkpoint], config)
    check_checkpoint(args.checkpoint, 'checkpoint')
    make_folders(outputs)
    check_data(config, 'test_dataloader')
    issues = check_annotation_files(config, 'test_dataloader')
    make_work_dir(config.work_dir)
    join_processes(config)
    prepare_run(config, is_test=True)
    kind = Runner if args.verbose else ShortRunner
    with short_console(args.verbose):
        with config_mistakes(args.config):
            runner = RUNNERS.build(config) if 'runner_type' in config else kind.from_cfg(config)
            _ = runner.test_loop  # a property that builds data set and evaluator when first read
        for line in (line for f in issues if f.level == PROBLEM for line in issue_lines(f)):
            runner.logger.warning(line.strip())
        if args.out:
            write_detections(runner, args.out)
        sizes = InputSizes(runner.model)
        with file_mistakes():
            metrics = runner.test()
            if record and runner.rank == 0:
                write_record(runner, sizes, record)
    if runner.rank == 0:
        print_summary(runner, metrics, args)


if __name__ == '__main__':
    with user_messages():
        main()
