"""Convert event recordings to RVT's layout: event_recordings.py FOLDER OUT_DIR --dataset etram."""

import argparse
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path

import abc_mmdet  # noqa: F401  first: it says in a word when its import is interrupted

# isort: split
from tqdm import tqdm

from abc_mmdet.apis import frame_size, user_messages
from abc_mmdet.apis.options import whole_number
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.datasets.events.catalogue import CATALOGUE
from abc_mmdet.datasets.events.conversion import (
    ConversionSettings,
    NoLabelsLeft,
    convert,
    is_converted,
    read_settings,
    remove_partial_conversions,
)
from abc_mmdet.datasets.events.conversion_report import report_text, summarise, write_report
from abc_mmdet.datasets.events.labels import BOX_FILTERS
from abc_mmdet.datasets.events.layouts import EVENT_ENDINGS, Source, find_sources
from abc_mmdet.datasets.events.stacked_histogram import DOWNSAMPLE, StackedHistogram
from abc_mmdet.datasets.hdf5 import NO_ROOM
from abc_mmdet.errors import UserError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Convert event recordings (FOLDER/{train,val,test}/*_td.h5 and *_bbox.npy, '
        'also .raw and .dat; or the folder of another data set as it is published) to the layout '
        'of RVT, which EventSequenceDataset reads. RVT itself '
        'reads what --downsample nearest or none with --box-filter rvt writes, not the defaults. A '
        'run that was stopped goes on where it was. Exit code 0: all converted, but for those '
        'without any label '
        'left, which are skipped; 1: some recordings failed, or none is left.'
    )
    parser.add_argument(
        'sources', nargs='+', type=Path, metavar='FOLDER',
        help='folder of the data set, with that of each split; or single recordings without '
        'labels, which go to OUT_DIR/test',
    )  # fmt: skip
    parser.add_argument('out_dir', type=Path, help='folder to write to')
    parser.add_argument(
        '--dataset', choices=list(CATALOGUE), required=True,
        help='whose files, classes, sensor and rules they have',
    )  # fmt: skip
    parser.add_argument('--bins', type=whole_number, default=10, help='time bins per window')
    parser.add_argument(
        '--window-ms', type=whole_number, help='length of a window (default: 50; PEDRo: 40)'
    )
    parser.add_argument(
        '--step-ms', type=whole_number, help='from window to window (default: 50; PEDRo: 40)'
    )
    parser.add_argument(
        '--count-cutoff', type=whole_number, default=10, help='counts are cut to this'
    )
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
        '--workers',
        type=whole_number,
        default=os.cpu_count() or 1,
        help='processes, default: all cores',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace recordings of other settings'
    )
    return parser.parse_args()


def settings_of(args: argparse.Namespace) -> ConversionSettings:
    entry = CATALOGUE[args.dataset]
    window = entry.window_ms if args.window_ms is None else args.window_ms
    step = entry.step_ms if args.step_ms is None else args.step_ms
    if step < 1 or entry.frame_ms % step:
        raise UserError(f'--step-ms {step}: it must divide {entry.frame_ms}.')
    try:
        histogram = StackedHistogram(args.bins, window, args.count_cutoff, args.downsample)
    except ValueError as error:
        raise UserError(f'--bins, --window-ms, --count-cutoff: {error}.') from error
    if args.size and min(args.size) < 2:
        raise UserError('--size: width and height are at least 2 pixels.')
    return ConversionSettings(args.dataset, histogram, args.box_filter, step, args.size)


def sources_of(args: argparse.Namespace) -> list[Source]:
    if len(args.sources) == 1 and not args.sources[0].is_file():
        return find_sources(args.sources[0], args.dataset)
    sources = []
    for path in args.sources:
        ending = next((e for e in EVENT_ENDINGS if path.name.endswith(e)), None)
        if not path.is_file() or ending is None:
            raise UserError(f'{path} is no recording ({", ".join(EVENT_ENDINGS)}).')
        name = path.name.removesuffix(ending)
        if name == 'recording':  # what a camera calls all of them
            name = path.resolve().parent.name
        sources.append(Source(name, 'test', path, None))
    (name, count), *_ = Counter(source.name for source in sources).most_common(1)
    if count > 1:
        raise UserError(f'{count} of the recordings would become {name}: rename them.')
    return sources


def to_convert(
    sources: list[Source], args: argparse.Namespace, settings: ConversionSettings
) -> tuple[list[Source], dict[tuple[str, str], dict]]:
    """Recordings still to do, and what was found in those that are there."""
    todo, found = [], {}
    for source in sources:
        folder = args.out_dir / source.split / source.name
        check_outputs({'OUT_DIR:': folder}, [source.events, *filter(None, [source.boxes])])
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


def attempt(source: Source, out_dir: Path, settings: ConversionSettings) -> tuple:
    """What was found, or the message of what went wrong and whether that is a failure."""
    try:
        return source, convert(source, out_dir, settings), None, False
    except NoLabelsLeft as error:
        return source, None, str(error), False
    except UserError as error:
        return source, None, str(error), True
    except OSError as error:
        if error.errno in NO_ROOM:  # for the other recordings as well
            raise
        return source, None, f'{source.events}: {type(error).__name__}: {error}', True
    except Exception as error:  # whatever it is, the other recordings can do without this one
        return source, None, f'{source.events}: {type(error).__name__}: {error}', True


def start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """A worker whose main process was killed must not write beside those of the next run."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def convert_all(
    todo: list[Source], workers: int, out_dir: Path, settings: ConversionSettings
) -> Iterator[tuple]:
    """Results of :func:`attempt`, as they come."""
    if not todo:
        return
    workers = min(workers, len(todo))
    # Never in this process, which would not survive HDF5 on a full disk. And a process that was
    # forked from one with threads may hang, so they come from a fresh one.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['abc_mmdet.apis', 'abc_mmdet.datasets.events.conversion'])
    pool = ProcessPoolExecutor(workers, context, start_worker)
    try:
        for future in as_completed([pool.submit(attempt, s, out_dir, settings) for s in todo]):
            yield future.result()
        pool.shutdown()
    except OSError as error:
        raise UserError(
            f'cannot write to {out_dir}: {error.strerror or error}. What has been converted is '
            'kept: make room and run again.'
        ) from error
    except BrokenProcessPool as error:
        raise UserError(
            'a process was killed from outside, probably because memory ran out. Run again with '
            f'fewer than --workers {workers}; what has been converted is kept.'
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
            process.join()
        remove_partial_conversions(out_dir)


def main() -> int:
    args = parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    settings, sources = settings_of(args), sources_of(args)
    todo, found = to_convert(sources, args, settings)
    if found:
        print(f'{len(found)} recordings are there already')
    try:
        args.out_dir.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=args.out_dir).close()
    except OSError as error:
        raise UserError(f'cannot write to {args.out_dir}: {error.strerror}') from error
    remove_partial_conversions(args.out_dir)
    failed: dict[str, str] = {}
    skipped: dict[str, str] = {}
    with (
        closing(convert_all(todo, args.workers, args.out_dir, settings)) as results,
        tqdm(total=len(sources), initial=len(found), unit='recording') as bar,
    ):
        for source, of_one, message, is_failure in results:
            bar.update()
            if message is None:
                found[source.split, source.name] = of_one
            else:
                of_kind, kind = (failed, 'failed') if is_failure else (skipped, 'skipped')
                of_kind[f'{source.split}/{source.name}'] = message
                bar.write(f'{kind}: {message}', file=sys.stderr)
    report = summarise(found, failed, skipped)
    write_report(report, args.out_dir)
    print(report_text(report))
    return 1 if failed or not found else 0


if __name__ == '__main__':
    with user_messages():
        sys.exit(main())
