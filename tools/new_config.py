"""A config for your own data: new_config.py DATA, or --train FILE --val FILE --images DIR."""

import argparse
import shlex
import sys
from pathlib import Path

import abc_mmdet  # noqa: F401  first: it says in a word when its import is interrupted

# isort: split
import torch

from abc_mmdet.apis import user_messages
from abc_mmdet.apis.options import real_number, whole_number
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.commands import in_words_of_the_command
from abc_mmdet.custom_dataset import NETWORKS, issue_lines, write_experiment
from abc_mmdet.custom_dataset.conversion import convert_for_config
from abc_mmdet.custom_dataset.train_val_split import split_file
from abc_mmdet.datasets.formats import FORMATS, Options, summary
from abc_mmdet.errors import UserError
from abc_mmdet.shipped import CONFIGS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Check a data set and write a config for it: classes, small classes, '
        'image size, levels and iterations are chosen from the data, and every choice is explained '
        'in the config.'
    )
    parser.add_argument(
        'data',
        nargs='?',
        metavar='DATA',
        help=f'folder of images and annotations in another format ({", ".join(FORMATS)}), which '
        'are converted; or give COCO files by --train, --val and --images',
    )
    parser.add_argument('--format', choices=list(FORMATS), help='of DATA; default: found out')
    parser.add_argument(
        '--converted',
        type=Path,
        metavar='DIR',
        help='folder for the COCO files made of DATA; default: OUT_train.json and OUT_val.json '
        'beside OUT',
    )
    parser.add_argument('--train', metavar='FILE', help='annotations for training')
    val = parser.add_mutually_exclusive_group()
    val.add_argument('--val', metavar='FILE', help='annotations for validation')
    val.add_argument(
        '--val-share',
        type=real_number,
        metavar='X',
        help='take this share of the training images for validation, such as 0.2: whole folders or '
        'sequences where file names tell; writes OUT_train.json and OUT_val.json beside OUT',
    )
    parser.add_argument(
        '--images',
        action='append',
        metavar='DIR',
        help='folder that file names are relative to; if it is given more than once, each split '
        'takes the one that has its files',
    )
    parser.add_argument('--val-images', metavar='DIR', help='that of the validation images')
    small = parser.add_mutually_exclusive_group()
    small.add_argument(
        '--small-classes',
        metavar='A,B',
        help='classes of the auxiliary task; default: those whose boxes are small',
    )
    small.add_argument(
        '--small-by-size',
        action='store_true',
        help='the auxiliary task is about small boxes of all classes',
    )
    parser.add_argument(
        '--network',
        choices=list(NETWORKS),
        help='YOLOX-s for a GPU, nano for a CPU; default: that of --weights, or what there is here',
    )
    parser.add_argument(
        '--weights',
        metavar='NAME',
        help='COCO weights to start from: a network as in --network, a checkpoint file of '
        "MMDetection's or Megvii's YOLOX, or none to train from scratch; default: those of the "
        'network, downloaded when training begins',
    )
    parser.add_argument(
        '--from-above',
        action='store_true',
        help='the camera looks down (drone, microscope, circuit board): images have no up, and are '
        'flipped in all directions',
    )
    parser.add_argument(
        '--budget',
        type=real_number,
        default=1.0,
        metavar='X',
        help='FLOPs at inference that are allowed, as a multiple of those of the plain network: '
        '1.5 or 2 for a larger input, 0.5 for a smaller one (1)',
    )
    parser.add_argument(
        '--iterations',
        type=whole_number,
        metavar='N',
        help='of the training; default: from the data',
    )
    parser.add_argument('--out', type=Path, default=Path('my_data.py'), metavar='FILE')
    parser.add_argument('--overwrite', action='store_true', help='replace FILE if it exists')
    args = parser.parse_args()
    files = {'--train': args.train, '--val': args.val, '--images': args.images}
    given = [option for option, value in files.items() if value]
    if args.data is not None and (given or args.val_images):
        parser.error(f'give DATA or COCO files, not both: {", ".join(given) or "--val-images"}')
    if args.data is None:
        missing = [option for option in ('--train', '--images') if not files[option]]
        if args.val is None and args.val_share is None:
            missing.append('--val (or --val-share)')
        if missing:
            parser.error(f'the following arguments are required: {", ".join(missing)}, or DATA')
        if args.format or args.converted:
            parser.error('--format and --converted are about DATA, a folder that is converted')
    return args


def convert_for(args: argparse.Namespace) -> list[Path]:
    """Put the files made of ``args.data`` into ``args.train`` and ``args.val``."""
    if args.out.exists() and not args.overwrite:
        raise UserError(f'{args.out} exists: name another --out, or pass --overwrite.')
    converted = convert_for_config(
        args.data,
        args.out,
        args.format,
        Options(),
        args.converted,
        split_later=args.val_share is not None,
        overwrite=args.overwrite,
    )
    args.images = [str(converted.root)]
    args.train = str(converted.paths[converted.choice['train']])
    if args.val_share is None:
        args.val = str(converted.paths[converted.choice['val']])
    title, *lines = summary(converted.data)
    print(f'converted: {title}')
    for line in lines:
        print(in_words_of_the_command(f'    {line}'))
    return list(converted.paths.values())


def split_for(args: argparse.Namespace) -> list[Path]:
    """Put the two parts of the training images into ``args.train`` and ``args.val``."""
    parts = [args.out.with_name(f'{args.out.stem}_{name}.json') for name in ('train', 'val')]
    check_outputs({f'{part.name} of --val-share:': part for part in parts}, [args.train])
    for path in [args.out, *parts]:
        if path.exists() and not args.overwrite:
            raise UserError(f'{path} exists: name another --out, or pass --overwrite.')
    shares = split_file(args.train, args.val_share, *parts)
    args.train, args.val = str(shares.train), str(shares.val)
    print(f'validation: {args.val}\n    {shares.why}')
    return parts


def main() -> None:
    args = parse_args()
    names = args.small_classes
    network = args.network
    if network is None and args.weights in NETWORKS:
        network = args.weights
    if network is None:
        network = 's' if torch.cuda.is_available() else 'nano'
    given = shlex.join(sys.argv[1:])
    parts: list[Path] = []
    try:
        if args.data is not None:
            parts += convert_for(args)
        if args.val_share is not None:
            parts += split_for(args)
        written = write_experiment(
            args.out,
            CONFIGS,
            args.train,
            args.val,
            args.images,
            args.val_images,
            network,
            None if names is None else [name.strip() for name in names.split(',')],
            args.small_by_size,
            args.iterations,
            args.weights,
            args.from_above,
            args.budget,
            command=in_words_of_the_command(f'python tools/new_config.py {given}'),
            overwrite=args.overwrite,
        )
    except UserError:
        for part in parts:
            part.unlink(missing_ok=True)
        raise
    for field, reason in written.recipe.why.items():
        value = getattr(written.recipe, field)
        print(f'{field}: {value}\n    {reason}')
    if written.issues:
        print('\nIn the data:')
        for line in (line for issue in written.issues for line in issue_lines(issue)):
            print(line)
    print(f'\n{written.path} is written. Next:')
    for tool in ('analysis_tools/check_dataset.py', 'train.py'):
        print(in_words_of_the_command(f'  python tools/{tool} {written.path}'))


if __name__ == '__main__':
    with user_messages():
        main()
