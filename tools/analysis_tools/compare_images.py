"""The image in which one result finds most of what another misses, drawn for both."""

import argparse
from pathlib import Path

import cv2

import abc_mmdet  # noqa: F401  before mmdet: it provides what mmdet.models imports
from abc_mmdet.apis import check_data, file_mistakes, load_experiment, user_messages
from abc_mmdet.apis.options import ConfigOptions, whole_number
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.matching import AREAS
from abc_mmdet.report import load_test_set, read_detections
from abc_mmdet.report.side_by_side import found, most_gained, side_by_side
from abc_mmdet.utils.atomic_write import replace_file


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw the image in which a second result of tools/test.py --out NAME.bbox.json '
        'finds most objects that the first misses: green what is found, red what is missed.'
    )
    parser.add_argument('config', help='config whose test data the results are of')
    parser.add_argument('first', type=Path, help='detections as COCO results')
    parser.add_argument('second', type=Path, help='detections as COCO results')
    parser.add_argument('--out', required=True, type=Path, help='image to write: .jpg or .png')
    parser.add_argument('--names', nargs=2, metavar='NAME', help='of the results, below the images')
    parser.add_argument('--score-thr', type=float, default=0.3, help='least score; default 0.3')
    parser.add_argument(
        '--area', choices=list(AREAS), default='s', help='size of the objects that are counted'
    )
    parser.add_argument(
        '--crop', nargs=2, type=whole_number, metavar=('W', 'H'), help='show a part, twice as large'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='overrides, as those of the test'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.out.suffix not in ('.jpg', '.png'):
        raise UserError(f'--out {args.out}: give a name that ends in .jpg or .png.')
    config = load_experiment(args.config, args.cfg_options)
    check_outputs({'--out': args.out}, [args.config, args.first, args.second], config)
    check_data(config, 'test_dataloader')
    names = args.names or [str(args.first), str(args.second)]
    with file_mistakes():
        test_set = load_test_set(config)
        results = [
            found(test_set, name, read_detections(path, test_set), args.score_thr)
            for name, path in zip(names, (args.first, args.second), strict=True)
        ]
        image_id = most_gained(test_set, results[0], results[1], args.area)
        drawn = side_by_side(test_set, image_id, results, args.crop and tuple(args.crop))
        replace_file(args.out, cv2.imencode(args.out.suffix, drawn)[1].tobytes())
    name = test_set.images[image_id].get('file_name', image_id)
    print(
        f'{args.out}: {name}; found in all images: {len(results[0].places)} and '
        f'{len(results[1].places)} of {int(test_set.counted.sum())} objects'
    )


if __name__ == '__main__':
    with user_messages():
        main()
