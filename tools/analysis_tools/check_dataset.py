"""The dataset check: check_dataset.py CONFIG [--json FILE] [--plot FILE.png] [--strict]."""

import argparse
from pathlib import Path

import abc_mmdet  # noqa: F401  before mmdet: it provides what mmdet.models imports
from abc_mmdet.apis import file_mistakes, load_experiment, user_messages
from abc_mmdet.apis.options import ConfigOptions
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.custom_dataset import as_dict, as_text, check_dataset, size_plot
from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import write_figure, write_json


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Check the data sets of a config, COCO files or event recordings: files, '
        'classes, boxes, times, and how large objects are for the network. Exit code 0: nothing '
        'wrong; 1: problems; 2: it could not be checked.'
    )
    parser.add_argument('config', help='config file, of this project or of MMDetection')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the report as JSON, too')
    parser.add_argument(
        '--plot', type=Path, metavar='FILE.png', help='draw the histogram of box sizes'
    )
    parser.add_argument('--strict', action='store_true', help='warnings are problems as well')
    parser.add_argument(
        '--no-decode',
        action='store_true',
        help='only see whether image files exist, and leave out the events of recordings; reading '
        'them all takes time',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='overrides, as in tools/train.py'
    )
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    if args.plot and args.plot.suffix != '.png':
        raise UserError(f'--plot {args.plot}: the file name must end in .png.')
    config = load_experiment(args.config, args.cfg_options)
    check_outputs({'--json': args.json, '--plot': args.plot}, [args.config], config)
    dataset_check = check_dataset(config, decode=not args.no_decode, progress=True)
    print(as_text(dataset_check))
    with file_mistakes():
        if args.json:
            write_json(args.json, as_dict(dataset_check))
        if args.plot:
            panels = [(split.title, split.sizes) for split in dataset_check.splits]
            args.plot.parent.mkdir(parents=True, exist_ok=True)
            write_figure(
                size_plot(panels, dataset_check.strides, dataset_check.train_only_strides),
                args.plot,
            )
    return 0 if dataset_check.is_fine(args.strict) else 1


if __name__ == '__main__':
    with user_messages():
        raise SystemExit(main())
