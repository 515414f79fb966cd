"""See what the network sees: browse_events.py CONFIG|RECORDING [CHECKPOINT] --out DIR|FILE.mp4."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import abc_mmdet  # noqa: F401  first: it says in a word when its import is interrupted

# isort: split
import numpy as np
from mmengine.config import Config

from abc_mmdet.apis import check_checkpoint, check_data, frame_size, load_experiment, user_messages
from abc_mmdet.apis.event_browser import browse_experiment, browse_recording
from abc_mmdet.apis.options import MOST_UPSCALE, ConfigOptions, real_number, whole_number
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.checkpoints.loading import add_trust_option
from abc_mmdet.errors import UserError
from abc_mmdet.visualization import ImageSink


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw event representations with ground truth (green) and detections (orange): '
        'events that turned brighter red, darker blue. From the data set of a config, or from a '
        'recording (.h5, .raw, .dat) as it came from the camera.'
    )
    parser.add_argument('source', type=Path, help='config file, or a recording')
    parser.add_argument('checkpoint', nargs='?', help='draw what this checkpoint detects, too')
    parser.add_argument('--out', type=Path, required=True, help='folder for PNG, or FILE.mp4')
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='val')
    parser.add_argument('--recording', help='name of a recording of the split; default: the first')
    parser.add_argument(
        '--labelled', action='store_true', help='only the labelled steps; default: every step'
    )
    parser.add_argument('--score-thr', type=real_number, default=0.3, help='of drawn detections')
    parser.add_argument('--limit', type=whole_number, default=200, help='at most so many images')
    parser.add_argument(
        '--upscale', type=whole_number, default=1, help='pixels per pixel, each way'
    )
    parser.add_argument('--fps', type=real_number, default=20.0, help='of a video; 20 is real time')
    parser.add_argument(
        '--size',
        type=frame_size,
        metavar='WxH',
        help='of the sensor, where a recording does not tell',
    )
    parser.add_argument(
        '--window-ms', type=whole_number, default=50, help='per image of a recording'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='overrides, as in tools/train.py'
    )
    add_trust_option(parser)
    return parser.parse_args()


def images(args: argparse.Namespace) -> Iterator[tuple[str, np.ndarray]]:
    """Names and images that the command line asks for."""
    if args.source.suffix != '.py':
        if args.checkpoint:
            raise UserError(
                'Detections need a config: convert the recording with '
                'tools/dataset_converters/event_recordings.py, then name the config and set '
                'data_root.'
            )
        yield from browse_recording(args.source, args.size, args.window_ms, args.upscale)
        return
    config: Config = load_experiment(str(args.source), args.cfg_options)
    check_data(config, f'{args.split}_dataloader')
    if args.checkpoint:
        check_checkpoint(args.checkpoint, 'checkpoint')
    yield from browse_experiment(
        config,
        f'{args.split}_dataloader',
        args.recording,
        args.checkpoint,
        every_step=not args.labelled,
        score_thr=args.score_thr,
        upscale=args.upscale,
    )


def main() -> None:
    args = parse_args()
    if min(args.upscale, args.limit, args.window_ms) < 1:
        raise UserError('--upscale, --limit and --window-ms are 1 or more.')
    if args.fps <= 0 or (args.size and min(args.size) < 1):
        raise UserError('--fps and both sides of --size are more than 0.')
    if args.out.suffix.lower() == '.mp4':
        check_outputs({'--out': args.out}, [args.source])
    if args.upscale > MOST_UPSCALE:
        raise UserError(f'--upscale {args.upscale}: up to {MOST_UPSCALE}.')
    with ImageSink(args.out, args.fps) as sink:
        for name, image in images(args):
            sink.add(name, image)
            if sink.count == args.limit:
                break
    if sink.count == 0:
        raise UserError('There was nothing to draw: the recording is empty or has no labels.')
    print(f'{args.out}: {sink.count} images')


if __name__ == '__main__':
    with user_messages():
        main()
