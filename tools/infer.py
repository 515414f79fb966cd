"""Detect in images, videos and event recordings: infer.py CONFIG CHECKPOINT INPUT --out DIR."""

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import abc_mmdet  # noqa: F401  first: it says in a word when its import is interrupted

# isort: split
from tqdm import tqdm

from abc_mmdet.apis import (
    add_slice_arguments,
    file_mistakes,
    frame_size,
    load_experiment,
    slicing_of,
    user_messages,
)
from abc_mmdet.apis.options import ConfigOptions, real_number, whole_number
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.checkpoints.loading import add_trust_option
from abc_mmdet.datasets.events.readers import READERS, TIME_UNITS
from abc_mmdet.deployment import ENGINES, OnnxDetector, OnnxStreamingInferencer, open_exported
from abc_mmdet.errors import UserError
from abc_mmdet.inference import Detector, StreamingInferencer, Tracking
from abc_mmdet.inference.detection_files import FILES, TRACKS
from abc_mmdet.inference.detector import ImageDetector
from abc_mmdet.inference.event_sources import SourceOptions
from abc_mmdet.inference.model import is_of_events
from abc_mmdet.inference.predict import Outcome, detect_files
from abc_mmdet.inference.recordings import (
    RecordingOutcome,
    check_recordings,
    detect_recordings,
    find_recordings,
)
from abc_mmdet.inference.sources import find_sources, number_of_images
from abc_mmdet.inference.tracking import OVERLAPS, TRACKERS
from abc_mmdet.inference.window_inferencer import WindowInferencer
from abc_mmdet.report import read_threshold

NUM_EXAMPLES = 5  # of a warning that may hold for all images


def score(text: str) -> float | None:
    """A score; None for ``auto``."""
    return None if text == 'auto' else real_number(text)


def threshold(args: argparse.Namespace) -> float:
    """What ``--score-thr`` says, or the report."""
    if args.score_thr is not None:
        return args.score_thr
    name, _, path = (args.report or '').rpartition('=')
    beside = Path(args.model[1] if args.model else args.onnx).parent / 'report.html'
    found = read_threshold(Path(path) if path else beside, name or None)
    print(f'--score-thr {found:g}: the best F1 in {path or beside}')
    return found


def say_what_was_found(outcome: Outcome, score_thr: float, out: Path, unit: str) -> None:
    files = ', '.join(FILES if outcome.tracks is None else (*FILES, f'{TRACKS}/'))
    what = f'{outcome.detections} detections with a score from {score_thr:g} on'
    if outcome.tracks is not None:
        what = f'{outcome.tracks} tracks with {outcome.detections} detections'
    print(f'{out}: images/, {files}; {what} in {outcome.images} {unit}')
    if outcome.images and not outcome.detections:
        best = outcome.best_score
        lower = f'{best / 2:.2g}'
        print(
            f'The best score is {best:.3g}: try --score-thr {lower}, or --score-thr auto, which '
            'takes the best one for your test data from a report (tools/analysis_tools/report.py).'
            if best > 0
            else 'The detector found nothing at any score.'
        )


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Detect in images, folders (with all below them), patterns and videos: drawn '
        'images, detections.json (COCO) and detections.csv. With a detector of event recordings, '
        f'in those ({", ".join(READERS)}, folders in the layout of RVT): a drawn video, and the '
        'time and latency of every window in both lists. Files that cannot be read are named '
        'at the end, and the exit code is 1.',
        usage='%(prog)s (CONFIG CHECKPOINT | --onnx MODEL) INPUT [INPUT ...] --out DIR [options]',
    )
    parser.add_argument('files', nargs='+', metavar='INPUT', help='file, folder or pattern')
    parser.add_argument('--out', required=True, type=Path, help='folder of the results')
    parser.add_argument('--onnx', help='model of export_onnx.py, in place of CONFIG and CHECKPOINT')
    parser.add_argument(
        '--engine',
        choices=['pytorch', *ENGINES],
        help='what runs the network; default: pytorch, or onnx with --onnx. openvino takes the '
        'file of --onnx too',
    )
    parser.add_argument(
        '--score-thr',
        type=score,
        default=0.3,
        help='lowest score to draw and list; default 0.3; auto: that of the best F1 on the test '
        'data, from --report',
    )
    parser.add_argument(
        '--report',
        metavar='[NAME=]FILE',
        help='page of tools/analysis_tools/report.py for --score-thr auto, and of which result in '
        'it; default: report.html beside CHECKPOINT',
    )
    parser.add_argument(
        '--batch',
        type=whole_number,
        default=1,
        help='images of one size that run together; default 1',
    )
    parser.add_argument('--device', help='such as cpu or cuda:0; default: a GPU if there is one')
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='overrides, as in tools/test.py'
    )
    add_trust_option(parser)
    add_event_arguments(parser)
    add_track_arguments(parser)
    add_slice_arguments(parser)
    args = parser.parse_intermixed_args()
    args.slicing = slicing_of(args)
    if args.batch < 1:
        raise UserError(f'--batch {args.batch}: give a number from 1 on.')
    args.tracking = tracking_of(args)
    if args.onnx and args.cfg_options:
        raise UserError('--cfg-options needs CONFIG and CHECKPOINT, not --onnx.')
    args.engine = args.engine or ('onnx' if args.onnx else 'pytorch')
    if (args.engine == 'pytorch') == bool(args.onnx):
        raise UserError(
            '--engine pytorch runs CONFIG and CHECKPOINT, not the file of --onnx.'
            if args.onnx
            else f'--engine {args.engine} runs a file: write it with '
            'tools/deployment/export_onnx.py CONFIG CHECKPOINT detector.onnx, and give '
            f'--engine {args.engine} --onnx detector.onnx in place of CONFIG and CHECKPOINT.'
        )
    args.model, args.inputs = ([], args.files) if args.onnx else (args.files[:2], args.files[2:])
    if not args.inputs:
        raise UserError(
            'Give CONFIG, CHECKPOINT and at least one INPUT, or --onnx MODEL and INPUT.'
        )
    return args


def add_event_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('event recordings')
    group.add_argument(
        '--sensor-size',
        '--size',
        type=frame_size,
        metavar='WxH',
        help='of the sensor, where a recording does not tell',
    )
    group.add_argument(
        '--time-unit',
        choices=TIME_UNITS,
        help='of the times in .npy and .npz; default: us for integers, s for others, and an '
        'error where no camera could have sent that',
    )


def add_track_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        'tracking, in videos and in folders of their images', argument_default=argparse.SUPPRESS
    )
    group.add_argument(
        '--track',
        action='store_true',
        help='one number per object: drawn, in both lists, and in tracks/ as MOTChallenge has it',
    )
    group.add_argument('--tracker', choices=TRACKERS, help=f'default: {Tracking.tracker}')
    group.add_argument(
        '--track-by',
        dest='overlaps',
        choices=OVERLAPS,
        help='what pairs an object with its track: normalised Wasserstein distance (nwd), IoU of '
        f'enlarged boxes (biou, of C-BIoU) or plain IoU; default: {Tracking.overlaps}',
    )
    group.add_argument(
        '--reach',
        type=real_number,
        metavar='SIZES',
        help='by how many of its sizes an object may move from one image to the next; default: '
        f'{Tracking.reach:g}',
    )


def tracking_of(args: argparse.Namespace) -> dict[str, Any] | None:
    """Arguments for :class:`Tracking`; None without ``--track``."""
    given = {name: getattr(args, name) for name in ('tracker', 'overlaps', 'reach') if name in args}
    if 'track' not in args and given:
        option = '--track-by' if 'overlaps' in given else f'--{next(iter(given))}'
        raise UserError(f'{option} is of tracking: add --track.')
    if given.get('overlaps') == 'iou' and 'reach' in given:
        raise UserError('--reach is not for --track-by iou, where boxes have to overlap.')
    if 'track' not in args:
        return None
    Tracking(**given)  # what is wrong with it is said before anything is read
    return given


def build_detector(args: argparse.Namespace) -> ImageDetector:
    if args.exported is not None:
        return OnnxDetector(args.exported, batch_size=args.batch, slicing=args.slicing)
    return Detector(args.experiment, args.model[1], args.device, args.slicing, args.batch)


def tracking_from(args: argparse.Namespace, score_thr: float) -> Tracking | None:
    return None if args.tracking is None else Tracking(**args.tracking, score_thr=score_thr)


def detect_in_images(args: argparse.Namespace) -> tuple[Outcome, int]:
    """What was found, and the number of files."""
    if args.sensor_size or args.time_unit:
        raise UserError('--sensor-size and --time-unit are for detectors of event recordings.')
    recordings = [path for path in args.inputs if Path(path).suffix.lower() in READERS]
    if recordings:
        raise UserError(
            f'{recordings[0]} is an event recording: give CONFIG and CHECKPOINT, or the --onnx '
            'file, of a detector of event recordings.'
        )
    sources = find_sources(args.inputs, leave_out=args.out)
    args.score_thr = threshold(args)
    detector = build_detector(args)
    with (
        file_mistakes(),
        tqdm(total=sum(map(number_of_images, sources)), unit='image', mininterval=1) as bar,
    ):
        tracking = tracking_from(args, args.score_thr)
        outcome = detect_files(detector, sources, args.out, args.score_thr, bar.update, tracking)
    return outcome, len(sources)


def detect_in_recordings(args: argparse.Namespace) -> tuple[RecordingOutcome, int]:
    """What was found, and the number of recordings."""
    if args.batch != 1 or args.slicing is not None:
        raise UserError('--batch and --slice are for images: windows come one after the other.')
    options = SourceOptions(args.sensor_size, args.time_unit)
    sources = find_recordings(args.inputs, leave_out=args.out)
    failures = check_recordings(sources, options)
    args.score_thr = threshold(args)
    inferencer: WindowInferencer
    if args.exported is not None:
        inferencer = OnnxStreamingInferencer(args.exported)
    else:
        inferencer = StreamingInferencer(args.experiment, args.model[1], args.device)
    readable = [source for source in sources if source not in failures]
    tracking = tracking_from(args, args.score_thr)
    with file_mistakes(), tqdm(unit='window', mininterval=1) as bar:
        outcome = detect_recordings(
            inferencer, readable, args.out, args.score_thr, bar.update, tracking, options
        )
    outcome.failures = [*failures.values(), *outcome.failures]
    for name, statistics in outcome.streams:
        print(f'{name}: {statistics.summary()}')
        for warning in statistics.warnings():
            print(f'warning: {name}: {warning}', file=sys.stderr)
    return outcome, len(sources)


def main() -> int:
    args = parse_args()
    warnings.filterwarnings('ignore', message='torch.meshgrid')  # of MMDetection's making
    check_outputs(
        {f'{name} of --out:': args.out / name for name in FILES},
        [*args.model, *args.inputs, *([args.onnx] if args.onnx else [])],
    )
    args.experiment = load_experiment(args.model[0], args.cfg_options) if args.model else None
    args.exported = None
    if args.onnx:
        args.exported = open_exported(args.onnx, args.device or 'cpu', args.engine)
        is_events = args.exported.recorded.input == 'events'
    else:
        is_events = is_of_events(args.experiment)
    outcome, number = (detect_in_recordings if is_events else detect_in_images)(args)
    say_what_was_found(outcome, args.score_thr, args.out, 'windows' if is_events else 'images')
    if outcome.dark:
        print(f'\nwarning: dark images of 16 bits: {len(outcome.dark)}', file=sys.stderr)
        print('\n'.join(outcome.dark[:NUM_EXAMPLES]), file=sys.stderr)
    if outcome.failures:
        print(f'\nleft out: {len(outcome.failures)} of {number} files', file=sys.stderr)
        print('\n'.join(outcome.failures), file=sys.stderr)
    return 1 if outcome.failures else 0


if __name__ == '__main__':
    with user_messages():
        sys.exit(main())
