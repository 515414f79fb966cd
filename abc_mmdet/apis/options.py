"""Options that several tools have: numbers, sizes, slices, and changes of the config."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from inspect import signature
from typing import Any

from mmengine.config import DictAction

from abc_mmdet.errors import UserError
from abc_mmdet.models.merging import MERGES

from .sliced_config import sliced

MOST = 2**31 - 1
"""What fits into the integers of every library here."""


def whole_number(text: str) -> int:
    """For ``type=`` of an argparse argument: a whole number of a size that can be counted with.

    Python's own have no bound: 10**400 passes ``int``, and breaks whatever computes with it later.
    """
    return _bounded(int, 'whole number', text)


def real_number(text: str) -> float:
    """The same for any number; neither infinity nor nan is one."""
    return _bounded(float, 'number', text)


def _bounded(kind: Callable[[str], Any], name: str, text: str) -> Any:
    try:
        value = kind(text)
        if abs(value) <= MOST:
            return value
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text[:40]!r} is no {name}') from None
    raise argparse.ArgumentTypeError(f'{text[:40]} is too large')


MOST_PIXELS = 2**20
"""Pixels of a side, as in OpenCV."""


def frame_size(text: str) -> tuple[int, int]:
    """``'320x192'`` as width and height, ``'320'`` for both; ``type=`` of an argparse argument."""
    try:
        width, height = (int(part) for part in (text.split('x') if 'x' in text else (text, text)))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text[:40]!r} is not of the form 320x192, or 320 for a square'
        ) from None
    if max(abs(width), abs(height)) > MOST_PIXELS:
        raise argparse.ArgumentTypeError(f'{text[:40]}: sides are up to {MOST_PIXELS} pixels')
    return width, height


class ConfigOptions(DictAction):
    """MMEngine's ``DictAction`` with a message for what is not of its form.

    Raises:
        UserError: an option without ``=``, or with brackets and quotes that do not close.
    """

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: Any = None
    ) -> None:
        for value in values:
            key, equals, _ = value.partition('=')
            if not equals or not all(key.split('.')):
                raise UserError(
                    f'{option} {value!r} is not of the form key=value or key.subkey=value; lists '
                    'are written key="[a,b]", with quotes for the shell.'
                )
            try:
                super().__call__(parser, namespace, [value], option)
            except (AssertionError, ValueError, LookupError, RecursionError) as error:
                raise UserError(
                    f'{option} {value!r} cannot be read ({error or type(error).__name__}): do all '
                    'brackets and quotes close? Lists are written key="[a,b]".'
                ) from error


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
