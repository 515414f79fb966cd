"""Run the variants of an ablation with several seeds and compare them: study.py --data hituav.

Call it again to go on, also after it was killed; finished runs are never repeated.
"""

import argparse
import json
import signal
import sys
import time
from functools import cache
from pathlib import Path

import abc_mmdet  # noqa: F401  first: it says in a word when its import is interrupted

# isort: split
from mmengine.logging import MMLogger

from abc_mmdet.apis import user_messages
from abc_mmdet.apis.options import real_number, whole_number
from abc_mmdet.errors import UserError
from abc_mmdet.shipped import CONFIGS
from abc_mmdet.study.comparison import compare
from abc_mmdet.study.report import accuracy_table, fill_section, write_report
from abc_mmdet.study.run_files import RunFiles, one_line
from abc_mmdet.study.run_queue import (
    QueueResult,
    RunQueue,
    default_jobs,
    default_size,
    run_command,
    slot_environment,
)
from abc_mmdet.study.variant_table import BASELINE
from abc_mmdet.study.variants import Ablation, Run, Variant, use_variables

GRACE = 25.0  # seconds of the limit that are kept for pausing and for the report
SOME_FAILED, MORE_TO_DO = 1, 3


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Run the variants of an ablation with several seeds and compare them.',
        epilog=f'Exit code: 0 all done, {SOME_FAILED} all done but some runs failed, 2 mistake, '
        f'{MORE_TO_DO} there is more to do: call it again.',
    )
    parser.add_argument('--ablation', type=Path, default=CONFIGS / 'ablation_coco', metavar='DIR')
    parser.add_argument('--size', default=default_size(), help='default here: %(default)s')
    parser.add_argument('--data', help='one of its data sets; default: its first')
    parser.add_argument(
        '--variants',
        nargs='+',
        default=[],
        metavar='NAME',
        help='these and the baseline; default all',
    )
    parser.add_argument('--seeds', nargs='+', type=whole_number, default=[0, 1, 2], metavar='N')
    parser.add_argument(
        '--jobs',
        type=whole_number,
        default=default_jobs(),
        help='runs at a time; default here: %(default)s',
    )
    parser.add_argument(
        '--time-limit',
        type=real_number,
        metavar='SECONDS',
        help='pause all runs in time to end by then',
    )
    parser.add_argument(
        '--work-dir', type=Path, default=Path('work_dirs'), help='logs and checkpoints go below it'
    )
    parser.add_argument(
        '--results', type=Path, default=Path('docs/measurements'), help='and results below this'
    )
    parser.add_argument('--document', type=Path, default=Path('docs/results.md'))
    parser.add_argument('--readme', type=Path, default=Path('README.md'))
    parser.add_argument('--report-only', action='store_true', help='run nothing')
    parser.add_argument('--list', action='store_true', help='show what is done, run nothing')
    parser.add_argument(
        '--against', metavar='NAME', help='print the differences to this variant, run nothing'
    )
    parser.add_argument(
        '--export-config', metavar='NAME', help='write this variant as one config, run nothing'
    )
    parser.add_argument(
        '--describe', type=Path, metavar='FILE', help='write the table of variants into it'
    )
    parser.add_argument('--retry-failed', action='store_true')
    parser.add_argument(
        '--redo', nargs='+', default=[], metavar='NAME', help='throw results of these variants away'
    )
    args = parser.parse_args()
    if args.jobs < 1:
        parser.error(f'--jobs {args.jobs}: at least 1')
    if args.time_limit is not None and args.time_limit <= 0:
        parser.error(f'--time-limit {args.time_limit:g}: more than 0')
    return args


def state(files: RunFiles, run: Run) -> str:
    if files.is_done(run):
        return 'done, but the config has changed' if files.is_outdated(run) else 'done'
    error = files.failure(run)
    if error is not None:
        return f'failed: {one_line(error)}'
    return 'begun' if files.is_begun(run) else 'to do'


def differences(variants: list[Variant], results: dict[Run, dict], against: str) -> str:
    if not any(run.variant.name == against for run in results):
        raise UserError(f'--against {against}: no run of such a variant is done.')
    return accuracy_table(compare(variants, results, against), against)


def run_all(
    ablation: str,
    table: Ablation,
    runs: list[Run],
    files: RunFiles,
    args: argparse.Namespace,
    began: float,
) -> QueueResult:
    baseline = next(run.variant for run in runs if run.variant.name == BASELINE)

    @cache
    def exported(variant: Variant) -> Path:
        """The config of a run, which stays what it is if the table is changed meanwhile."""
        path = files.work / 'configs' / f'{variant.name}_{variant.config_hash}.py'
        table.export(variant.name, path)
        return path

    def command(run: Run, slot: int) -> tuple[list[str], dict[str, str]]:
        facts = dict(
            variant=run.variant.name,
            title=run.variant.title,
            seed=run.seed,
            ablation=ablation,
            config=run.variant.config_hash,
        )
        options = {
            '--baseline': exported(baseline),
            '--seed': run.seed,
            '--folder': files.folder(run),
            '--result': files.result(run),
        }
        flat = [part for option in options.items() for part in option]
        return (
            run_command(json.dumps(facts), exported(run.variant), *map(str, flat)),
            slot_environment(slot, args.jobs),
        )

    seconds, grace = None, GRACE
    if args.time_limit is not None:
        left = args.time_limit - (time.monotonic() - began)
        grace = min(GRACE, left / 3)
        seconds = left - grace
    started = time.monotonic()

    def say(line: str) -> None:
        print(f'{time.monotonic() - started:7.0f} s  {line}', flush=True)

    queue = RunQueue(files, command, args.jobs, seconds, grace * 0.6, say)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: queue.stop())
    return queue.work(runs)


def main() -> int:
    began = time.monotonic()
    args = parse_args()
    # MMEngine tells of each environment variable in a config
    MMLogger.get_current_instance().setLevel('WARNING')
    ablation = use_variables(args.ablation, args.size, args.data)
    table = Ablation(args.ablation)
    if args.export_config:
        path = Path(f'{ablation}_{args.export_config}.py')
        if path.exists():
            raise UserError(f'--export-config {args.export_config}: {path} is there already.')
        table.export(args.export_config, path)
        print(f'{path}: train it with tools/train.py')
        return 0
    if args.describe:
        fill_section(args.describe, f'{args.ablation.name} variants', table.description(), add=True)
        return 0
    more = [args.against] if args.against and args.variants else []
    variants = table.variants([*args.variants, *more])
    files = RunFiles(args.results / ablation, args.work_dir / ablation)
    # All variants with one seed before the next seed, so that there is always something to compare
    runs = [Run(variant, seed) for seed in args.seeds for variant in variants]
    for name in args.redo:
        if name not in {variant.name for variant in variants}:
            raise UserError(
                f'--redo {name}: there is no such variant, or --variants leaves it out.'
            )
    for run in runs:
        if run.variant.name in args.redo:
            files.forget(run)
        if args.retry_failed:
            files.forget_failure(run)
    if args.list:
        for run in runs:
            print(f'{run.name:<32} {state(files, run)}')
        return 0
    if args.against:
        print(differences(variants, files.stored(runs), args.against))
        return 0
    result = QueueResult()
    if not args.report_only:
        result = run_all(ablation, table, runs, files, args, began)
    write_report(ablation, variants, runs, files, args.document, args.readme)
    failed = [run for run in runs if files.failure(run) is not None]
    print(f'{len(result.finished)} runs done, {len(result.left)} left, {len(failed)} failed')
    print(f'report: {args.document}, {files.results}')
    if result.left:
        return MORE_TO_DO
    return SOME_FAILED if failed else 0


if __name__ == '__main__':
    with user_messages():
        sys.exit(main())
