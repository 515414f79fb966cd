"""Does a long run stay as it began? Memory, open files and processes of a training, over time.

tools/train.py runs as users run it, evaluating and saving every so many iterations: a round. The
process and its data workers are watched from outside. The rounds after the warm-up are compared
with the last ones, and when the run has ended none of its processes may be left.

    python benchmarks/soak.py [CONFIG] [--iterations 3000] [--every 200] [--json FILE]
        [--cfg-options KEY=VALUE ...]

Needs psutil. Exit code 1: something grew, was left behind, or the training failed.
"""

import argparse
import json
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
ALLOWED_GROWTH = 0.05  # of memory
MEMORY = ('main_rss', 'tree_rss')
COMPARED = 3  # rounds at either end
TIDYING = 10  # seconds that workers have to be gone after the main process
MB = 2**20


@dataclass
class Sample:
    """The process tree at one moment; memory in MB.

    ``tree_rss`` is the sum over the processes: it counts more than once what they share, but unlike
    PSS it does not depend on what other programs on the machine share with them.
    """

    main_rss: float
    tree_rss: float
    open_files: int
    processes: int


@dataclass
class Watch:
    """What was seen of a process and its descendants, by round."""

    main: psutil.Process
    rounds: dict[int, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    seen: set[psutil.Process] = field(default_factory=set)

    def sample(self, round_: int) -> None:
        """Adds a sample, unless a process ends meanwhile."""
        try:
            tree = [self.main, *self.main.children(recursive=True)]
            self.seen.update(tree)
            memory = [process.memory_info().rss / MB for process in tree]
            files = sum(process.num_fds() for process in tree)
        except psutil.Error:
            return
        if all(memory):  # otherwise one has given it back and is about to end
            self.rounds[round_].append(Sample(memory[0], sum(memory), files, len(tree)))

    def left_behind(self) -> list[psutil.Process]:
        """Processes that outlive the main one by more than they need to end."""
        return psutil.wait_procs(self.seen, timeout=TIDYING)[1]


def summary(samples: list[Sample]) -> dict[str, float]:
    """One row of the table: medians, which what is there for a moment does not move.

    Only of samples with all workers: they start in the first round and end in the last.
    """
    processes = max(s.processes for s in samples)
    whole = [s for s in samples if s.processes == processes]
    return dict(
        main_rss=statistics.median(s.main_rss for s in whole),
        tree_rss=statistics.median(s.tree_rss for s in whole),
        open_files=statistics.median_low(s.open_files for s in whole),
        processes=processes,
        samples=len(whole),
    )


def judge(rows: list[dict[str, float]], warm_up: int) -> dict[str, float]:
    """Growth from the first rounds after the warm-up to the last ones; of memory as a share.

    Of memory it is the median of the rounds that counts. What is open comes and goes by a few files
    with the batches that are on their way, so there it is the most of any of these rounds.
    """
    settled = rows[warm_up:]
    count = min(COMPARED, len(settled) // 2)
    if not count:
        raise SystemExit('error: too few rounds to compare; ask for more --iterations.')

    parts = settled[:count], settled[-count:]
    growth = {}
    for name in ('main_rss', 'tree_rss', 'open_files', 'processes'):
        middle_or_most = statistics.median_low if name in MEMORY else max
        first, last = (middle_or_most([row[name] for row in part]) for part in parts)
        growth[name] = last / first - 1 if name in MEMORY else last - first
    return growth


def command(args: argparse.Namespace) -> list[str]:
    options = [
        f'train_cfg.max_iters={args.iterations}',
        f'train_cfg.val_interval={args.every}',
        f'default_hooks.checkpoint.interval={args.every}',
        'default_hooks.checkpoint.max_keep_ckpts=2',
        f'default_hooks.logger.interval={max(1, args.every // 20)}',
    ]
    tool = [sys.executable, 'tools/train.py', args.config, '--work-dir', str(args.work_dir)]
    return [*tool, '--cfg-options', *options, *args.cfg_options]


def run(args: argparse.Namespace) -> tuple[Watch, int]:
    """Train and watch; returns what was seen and the exit code."""
    log = args.work_dir / 'soak.log'
    with log.open('w') as output:
        training = subprocess.Popen(command(args), stdout=output, stderr=output, cwd=ROOT)
    watch = Watch(psutil.Process(training.pid))
    try:
        with log.open() as text:
            iteration = 0
            while training.poll() is None:
                for found in re.findall(r'^iter (\d+)/', text.read(), re.M):
                    iteration = int(found)
                if iteration:  # before, it is still starting
                    watch.sample((iteration - 1) // args.every)
                time.sleep(args.seconds)
    finally:
        training.terminate()  # no effect on one that has ended
        training.wait()
    return watch, training.returncode


def show(rows: list[dict[str, float]]) -> None:
    titles = ('iteration', 'main RSS MB', 'tree RSS MB', 'open files', 'processes', 'samples')
    print(''.join(f'{title:>13}' for title in titles))
    for until, *memory, files, processes, samples in (row.values() for row in rows):
        print(f'{until:>13}' + ''.join(f'{value:>13.1f}' for value in memory), end='')
        print(''.join(f'{value:>13}' for value in (files, processes, samples)))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', nargs='?', default='configs/small/abc_synthetic.py')
    parser.add_argument('--iterations', type=int, default=3000)
    parser.add_argument('--every', type=int, default=200, help='iterations between evaluations')
    parser.add_argument('--warm-up', type=int, default=2, help='rounds that do not count')
    parser.add_argument('--seconds', type=float, default=5.0, help='between samples')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/soak'))
    parser.add_argument('--json', type=Path, help='write the figures to this file')
    parser.add_argument('--cfg-options', nargs='+', default=[], help='as for tools/train.py')
    args = parser.parse_args()
    args.work_dir = args.work_dir.absolute()
    args.work_dir.mkdir(parents=True, exist_ok=True)
    return args


def main() -> int:
    args = parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the training ends with it
    begin = time.monotonic()
    watch, code = run(args)
    left = watch.left_behind()
    if code:
        print(f'error: the training ended with {code}; see {args.work_dir / "soak.log"}')
        return 1
    rows = [
        dict(until=(index + 1) * args.every, **summary(samples))
        for index, samples in sorted(watch.rounds.items())
    ]
    growth = judge(rows, args.warm_up)
    flat = all(growth[name] < ALLOWED_GROWTH for name in MEMORY)
    passed = flat and growth['open_files'] <= 0 and growth['processes'] <= 0 and not left
    show(rows)
    print(
        f'\nmain RSS {growth["main_rss"]:+.1%}, tree RSS {growth["tree_rss"]:+.1%}, open files '
        f'{growth["open_files"]:+}, {len(watch.seen)} processes seen, {len(left)} left behind: '
        + ('passed' if passed else 'FAILED')
    )
    if args.json:
        figures = dict(
            config=args.config,
            cfg_options=args.cfg_options,
            iterations=args.iterations,
            every=args.every,
            seconds=round(time.monotonic() - begin),
            growth=growth,
            processes_seen=len(watch.seen),
            left_behind=len(left),
            passed=passed,
            rounds=rows,
        )
        args.json.write_text(json.dumps(figures, indent=2) + '\n')
    return int(not passed)


if __name__ == '__main__':
    sys.exit(main())
