"""Options of slicing, which several tools have."""

from __future__ import annotations

import argparse
from inspect import signature
from typing import Any

from abc_mmdet.apis.frame_size import frame_size
from abc_mmdet.apis.number_options import real_number, whole_number
from abc_mmdet.apis.sliced_config import sliced
from abc_mmdet.errors import UserError
from abc_mmdet.models.merging import MERGES


def add_slice_arguments(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """Add ``--slice`` and its companions.

    They are named in the parsed arguments as the parameters of :func:`sliced` are, and are only
    there if they were given: what was not has the default of that function.

    Args:
        parser: of a tool.
        required: the tool only works on slices.
    """
    group = parser.add_argument_group(
        'slicing, for small objects in large images', argument_default=argparse.SUPPRESS
    )
    group.add_argument(
        '--slice',
        dest='slice_size',
        type=frame_size,
        required=required,
        metavar='WxH',
        help='look at images in slices of this size in pixels (224 is 224x224), in the size of '
        'their files',
    )
    group.add_argument(
        '--overlap',
        type=real_number,
        help=f'of slices, a share of their size ({_default("overlap")})',
    )
    group.add_argument(
        '--merge',
        choices=list(MERGES),
        help='how detections of several slices become one (nms)',
    )
    group.add_argument(
        '--upscale', type=real_number, help='enlarge images before they are sliced (not at all)'
    )
    group.add_argument(
        '--slice-batch',
        dest='batch_size',
        type=whole_number,
        metavar='N',
        help=f'slices at a time ({_default("batch_size")})',
    )
    group.add_argument(
        '--no-full-image',
        dest='full_image',
        action='store_false',
        help='leave out the pass over the whole image',
    )


def slicing_of(args: argparse.Namespace) -> dict[str, Any] | None:
    """Arguments for :func:`sliced`; None without ``--slice``.

    Raises:
        UserError: options of slices without it.
    """
    options = {'overlap', 'merge', 'upscale', 'batch_size', 'full_image'} & set(vars(args))
    if 'slice_size' in args:
        return dict(slice_size=args.slice_size, **{name: getattr(args, name) for name in options})
    names = {'batch_size': '--slice-batch', 'full_image': '--no-full-image'}
    for name in sorted(options):
        option = names.get(name, f'--{name}')
        raise UserError(f'{option} is of slices: add --slice WxH.')
    return None


def _default(name: str) -> Any:
    return signature(sliced).parameters[name].default
