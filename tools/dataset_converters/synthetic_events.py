"""Simulate an event camera in synthetic traffic: synthetic_events.py OUT_DIR."""

import argparse
import os
import signal
import sys
from pathlib import Path

from abc_mmdet.apis import frame_size, user_messages
from abc_mmdet.apis.options import real_number, whole_number
from abc_mmdet.datasets.synthetic.event_export import EventRecipe, prepare


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Simulate recordings of an event camera in traffic, as eTraM's come: "
        'OUT_DIR/{train,val}/*_td.h5 and *_bbox.npy. Complete ones with the same arguments are '
        'kept. event_recordings.py converts them for training.'
    )
    parser.add_argument('out_dir', type=Path, help='folder of the recordings')
    parser.add_argument('--train', type=whole_number, default=EventRecipe.train, help='recordings')
    parser.add_argument('--val', type=whole_number, default=EventRecipe.val, help='recordings')
    parser.add_argument(
        '--seconds', type=real_number, default=EventRecipe.seconds, help='length of each recording'
    )
    parser.add_argument(
        '--size',
        type=frame_size,
        default=(EventRecipe.width, EventRecipe.height),
        metavar='WxH',
        help=f'pixels of the sensor, default {EventRecipe.width}x{EventRecipe.height}',
    )
    parser.add_argument(
        '--seed', type=whole_number, default=EventRecipe.seed, help='equal: equal events'
    )
    parser.add_argument(
        '--workers',
        type=whole_number,
        default=os.cpu_count() or 1,
        help='processes, default: all cores',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace synthetic recordings of other arguments'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it tidies up on its way out
    recipe = EventRecipe(args.train, args.val, *args.size, args.seed, args.seconds)
    if prepare(args.out_dir, recipe, max(1, args.workers), args.overwrite):
        print(f'{args.out_dir} written')


if __name__ == '__main__':
    with user_messages():
        main()
