"""Draw synthetic traffic: python tools/dataset_converters/synthetic_traffic.py OUT_DIR."""

import argparse
import signal
import sys
from pathlib import Path

from abc_mmdet.apis import frame_size, user_messages
from abc_mmdet.apis.options import whole_number
from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare
from abc_mmdet.errors import UserError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw a synthetic traffic data set in COCO format: OUT_DIR/{train,val}/*.jpg '
        'and OUT_DIR/annotations/{train,val}.json. A complete one with the same arguments is kept.'
    )
    parser.add_argument('out_dir', type=Path, help='folder of the data set')
    parser.add_argument(
        '--train', type=whole_number, default=Recipe.train, help='number of training images'
    )
    parser.add_argument(
        '--val', type=whole_number, default=Recipe.val, help='number of validation images'
    )
    parser.add_argument(
        '--size',
        type=frame_size,
        default=(Recipe.width, Recipe.height),
        metavar='WxH',
        help=f'pixels, default {Recipe.width}x{Recipe.height}',
    )
    parser.add_argument(
        '--seed', type=whole_number, default=Recipe.seed, help='equal seeds: equal images'
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a synthetic data set of other arguments'
    )
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it tidies up on its way out
    try:
        recipe = Recipe(args.train, args.val, *args.size, args.seed)
        written = prepare(args.out_dir, recipe, args.overwrite)
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('interrupted, nothing was written', file=sys.stderr)
        return 130
    if written:
        print(f'{args.out_dir} written')
    return 0


if __name__ == '__main__':
    with user_messages():
        sys.exit(main())
