"""Train a detector: python tools/train.py CONFIG. Options as in MMDetection."""

import argparse
import importlib.util
import os

import abc_mmdet  # noqa: F401  first: it says in a word when its import is interrupted

# isort: split
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from abc_mmdet.apis import (
    check_checkpoint,
    check_data,
    claim_work_dir,
    config_mistakes,
    file_mistakes,
    join_processes,
    load_experiment,
    prepare_run,
    user_messages,
)
from abc_mmdet.apis.console import ShortRunner, add_verbose_option, short_console
from abc_mmdet.apis.options import ConfigOptions
from abc_mmdet.apis.output_files import check_outputs, dumped_config
from abc_mmdet.apis.progress import training_result
from abc_mmdet.apis.run_length import check_length
from abc_mmdet.checkpoints.loading import add_trust_option
from abc_mmdet.custom_dataset import check_annotation_files, issue_lines
from abc_mmdet.engine import choose_checkpoint, name_monitors, scale_schedules
from abc_mmdet.errors import UserError
from mmdet.registry import RUNNERS
from mmdet.utils import setup_cache_size_limit_of_dynamo


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a detector.')
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='where logs and checkpoints go')
    parser.add_argument('--amp', action='store_true', help='mixed precision (GPU only)')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate with the batch size'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue from this checkpoint, or from the newest in the work dir if none is named',
    )
    parser.add_argument(
        '--tensorboard', action='store_true', help='also write TensorBoard event files'
    )
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
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def apply_options(config: Config, args: argparse.Namespace) -> None:
    """Put the command line's options into the config, as MMDetection's tool does."""
    config.launcher = args.launcher
    if args.amp:
        if not torch.cuda.is_available():
            raise UserError('--amp needs a GPU, and PyTorch sees none; leave it out on a CPU.')
        config.optim_wrapper.type = 'AmpOptimWrapper'
        config.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.auto_scale_lr:
        if 'base_batch_size' not in config.get('auto_scale_lr', {}):
            raise UserError(
                f'--auto-scale-lr: {args.config} has no auto_scale_lr.base_batch_size; add '
                'auto_scale_lr=dict(base_batch_size=N), N being the batch size its lr is for.'
            )
        config.auto_scale_lr.enable = True
    if args.resume == '':
        raise UserError(
            "--resume '' names no checkpoint (a variable of the shell without a value?). --resume "
            'alone goes on from the newest of the work dir; without it training begins anew.'
        )
    if config.get('load_from') == '':
        raise UserError(
            "load_from '' names no checkpoint (a variable of the shell without a value?). None "
            'trains from scratch.'
        )
    if args.resume:
        config.resume = True
        config.load_from = None if args.resume == 'auto' else args.resume
    if args.tensorboard:
        if importlib.util.find_spec('tensorboard') is None:
            raise UserError('--tensorboard needs a package: pip install tensorboard')
        config.visualizer.vis_backends.append(dict(type='TensorboardVisBackend'))


def build_runner(config: Config, path: str, verbose: bool = False) -> Runner:
    """The runner with its data sets: all that a wrong config can break, before training."""
    kind = Runner if verbose else ShortRunner
    prepare_run(config)
    with config_mistakes(path):
        runner = RUNNERS.build(config) if 'runner_type' in config else kind.from_cfg(config)
        # Properties that build what they stand for when they are first read
        _ = runner.train_loop, runner.val_loop
        if isinstance(runner, Runner):
            build_optimizer(runner)
            name_monitors(runner)
    return runner


def build_optimizer(runner: Runner) -> None:
    """Build optimizer and schedules, which ``Runner.train`` would do, and takes as they are."""
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    scale_schedules(runner)
    runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
    runner.auto_scale_lr = None  # or ``train`` would scale it once more
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)


def main() -> None:
    args = parse_args()
    setup_cache_size_limit_of_dynamo()
    config = load_experiment(args.config, args.cfg_options, args.work_dir)
    apply_options(config, args)
    check_outputs({'the config in --work-dir': dumped_config(config)}, [config.filename])
    check_data(config, 'train_dataloader', 'val_dataloader')
    issues = check_annotation_files(config, 'train_dataloader', 'val_dataloader')
    check_length(config)
    claim_work_dir(config.work_dir)
    choose_checkpoint(config)
    if config.get('load_from'):
        check_checkpoint(config.load_from, '--resume' if args.resume else 'load_from')
    join_processes(config)
    with short_console(args.verbose):
        runner = build_runner(config, args.config, args.verbose)
        for line in (line for issue in issues for line in issue_lines(issue)):
            runner.logger.warning(line.strip())
        with file_mistakes():
            runner.train()
    if isinstance(runner, Runner) and runner.rank == 0 and (line := training_result(runner)):
        print(line)


if __name__ == '__main__':
    with user_messages():
        main()
