"""Annotations of other formats as COCO files: to_coco.py FOLDER OUT_DIR [--format NAME]."""

import argparse
import shlex
from pathlib import Path

from abc_mmdet.apis import user_messages
from abc_mmdet.commands import in_words_of_the_command
from abc_mmdet.custom_dataset.conversion import convert
from abc_mmdet.datasets.formats import FORMATS, Options, summary


def parse_args() -> argparse.Namespace:
    known = '\n'.join(f'  {name:12}{reader.layout}' for name, reader in FORMATS.items())
    parser = argparse.ArgumentParser(
        description='Write the annotations of a data set as COCO files, one for each split, with '
        'what is to be ignored (iscrowd). Images stay where they are.',
        epilog=f'formats:\n{known}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('folder', help='of images and annotations, or its data.yaml')
    parser.add_argument('out_dir', type=Path, help='for train.json, val.json, ...')
    parser.add_argument('--format', choices=list(FORMATS), help='default: found out')
    parser.add_argument(
        '--classes',
        metavar='A,B',
        help='of Pascal VOC and LabelMe, names and order; default: sorted by name, or labels.txt',
    )
    parser.add_argument(
        '--first-pixel',
        type=int,
        choices=(0, 1),
        help="of Pascal VOC, the number of the first pixel; default: 1 in VOC's own files, else 0",
    )
    parser.add_argument('--overwrite', action='store_true', help='replace files that exist')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    names = None if args.classes is None else [name.strip() for name in args.classes.split(',')]
    converted = convert(
        args.folder,
        lambda split: args.out_dir / f'{split}.json',
        args.format,
        Options(names, args.first_pixel),
        overwrite=args.overwrite,
    )
    for line in summary(converted.data):
        print(in_words_of_the_command(line))
    print('\nwritten: ' + ', '.join(map(str, converted.paths.values())))
    words = [f'--images={converted.root}']
    for option, split in converted.choice.items():
        words.append(f'--{option}={converted.paths[split]}')
    if 'val' not in converted.choice:
        words.append('--val-share=0.2')
    print('Next:')
    print(in_words_of_the_command(f'  python tools/new_config.py {shlex.join(words)}'))


if __name__ == '__main__':
    with user_messages():
        main()
