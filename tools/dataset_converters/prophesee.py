"""Convert event recordings to RVT's layout: prophesee.py FOLDER OUT_DIR --dataset etram."""

import argparse
import multiprocessing
import os
import signal
import sys
from functools import partial
from pathlib import Path

from tqdm import tqdm

from abc_mmdet.apis import frame_size, user_messages
from abc_mmdet.datasets.events.boxes import BOX_FILTERS
from abc_mmdet.datasets.events.catalogue import CATALOGUE
from abc_mmdet.datasets.events.conversion import (
    EVENT_ENDINGS,
    ConversionSettings,
    Source,
    convert,
    find_sources,
    is_converted,
    read_settings,
    remove_partial_folders,
)
from abc_mmdet.datasets.events.conversion_report import report_text, summarise, write_report
from abc_mmdet.datasets.events.stacked_histogram import DOWNSAMPLE, StackedHistogram
from abc_mmdet.errors import UserError

SPLITS = ('train', 'val', 'test')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Convert event recordings (FOLDER/{train,val,test}/*_td.h5 and *_bbox.npy, '
        'also .raw and .dat) to the layout that RVT and EventSequenceDataset read. A run that was '
        'stopped goes on where it was. Exit code 0: all converted; 1: some recordings failed.'
    )
    parser.add_argument(
        'sources', nargs='+', type=Path, metavar='FOLDER',
        help='folder of the splits, or single recordings without labels, which go to OUT_DIR/test',
    )  # fmt: skip
    parser.add_argument('out_dir', type=Path, help='folder to write to')
    parser.add_argument(
        '--dataset', choices=list(CATALOGUE), required=True,
        help='whose classes, sensor and rules they have',
    )  # fmt: skip
    parser.add_argument('--bins', type=int, default=10, help='time bins per window')
    parser.add_argument('--window-ms', type=int, default=50, help='length of a window')
    parser.add_argument('--step-ms', type=int, default=50, help='from window to window')
    parser.add_argument('--count-cutoff', type=int, default=10, help='counts are cut to this')
    parser.add_argument(
        '--downsample', choices=DOWNSAMPLE, default='sum',
        help='half resolution by adding up four pixels (default) or, as RVT, by taking one of '
        'them; or the full one',
    )  # fmt: skip
    parser.add_argument(
        '--box-filter', choices=BOX_FILTERS, default='clip',
        help='clip: clip boxes to the frame and drop empty ones (default); rvt: RVT\'s rules; '
        'prophesee: only what the Prophesee protocol evaluates',
    )  # fmt: skip
    parser.add_argument(
        '--size', type=frame_size, metavar='WxH', help='of the sensor, where files tell wrong'
    )
    parser.add_argument(
        '--workers', type=int, default=os.cpu_count() or 1, help='processes, default: all cores'
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace recordings of other settings'
    )
    return parser.parse_args()


def settings_of(args: argparse.Namespace) -> ConversionSettings:
    if args.step_ms < 1 or 100 % args.step_ms:
        raise UserError(f'--step-ms {args.step_ms}: it must divide 100.')
    try:
        histogram = StackedHistogram(args.bins, args.window_ms, args.count_cutoff, args.downsample)
    except ValueError as error:
        raise UserError(f'--bins, --window-ms, --count-cutoff: {error}.') from error
    return ConversionSettings(args.dataset, histogram, args.box_filter, args.step_ms, args.size)


def sources_of(args: argparse.Namespace) -> list[Source]:
    if len(args.sources) == 1 and not args.sources[0].is_file():
        return find_sources(args.sources[0], SPLITS)
    sources = []
    for path in args.sources:
        ending = next((e for e in EVENT_ENDINGS if path.name.endswith(e)), None)
        if not path.is_file() or ending is None:
            raise UserError(f'{path} is no recording ({", ".join(EVENT_ENDINGS)}).')
        name = path.name.removesuffix(ending)
        if name == 'recording':  # what a camera calls all of them
            name = path.resolve().parent.name
        sources.append(Source(name, 'test', path, None))
    return sources


def to_convert(
    sources: list[Source], args: argparse.Namespace, settings: ConversionSettings
) -> tuple[list[Source], dict[tuple[str, str], dict]]:
    """Recordings still to do, and what was found in those that are there."""
    todo, found = [], {}
    for source in sources:
        folder = args.out_dir / source.split / source.name
        if is_converted(folder, settings):
            found[source.split, source.name] = read_settings(folder)['found']
        elif folder.exists() and not args.overwrite:
            raise UserError(
                f'{folder} exists and was converted with other settings '
                f'({read_settings(folder).get("settings", "unknown")}). Pass --overwrite to '
                'replace such recordings, or name another folder.'
            )
        else:
            todo.append(source)
    return todo, found


def attempt(out_dir: Path, settings: ConversionSettings, source: Source) -> tuple:
    """What was found, or the message of what went wrong: in a process of its own."""
    try:
        return source, convert(source, out_dir, settings), None
    except UserError as error:
        return source, None, str(error)
    except OSError as error:
        return source, None, f'{source.events}: {error}'


def quiet_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def main() -> int:
    args = parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    settings, sources = settings_of(args), sources_of(args)
    todo, found = to_convert(sources, args, settings)
    if found:
        print(f'{len(found)} recordings are there already')
    failed: dict[str, str] = {}
    try:
        for split in {source.split for source in sources}:
            (args.out_dir / split).mkdir(parents=True, exist_ok=True)
            remove_partial_folders(args.out_dir / split)
    except OSError as error:
        raise UserError(f'cannot write to {args.out_dir}: {error.strerror}') from error
    workers = max(1, min(args.workers, len(todo)))
    # A process that was forked from one with threads may hang; a new one costs seconds
    with (
        multiprocessing.get_context('forkserver').Pool(workers, quiet_worker) as pool,
        tqdm(total=len(sources), initial=len(found), unit='recording') as bar,
    ):
        results = pool.imap_unordered(partial(attempt, args.out_dir, settings), todo)
        for source, of_one, message in results:
            bar.update()
            if message is None:
                found[source.split, source.name] = of_one
            else:
                failed[f'{source.split}/{source.name}'] = message
                bar.write(f'failed: {message}', file=sys.stderr)
    report = summarise(found, failed)
    write_report(report, args.out_dir)
    print(report_text(report))
    return 1 if failed else 0


if __name__ == '__main__':
    with user_messages():
        sys.exit(main())
