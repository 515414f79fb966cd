"""Options that several tools have: numbers, sizes, changes of the config, slices."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from copy import deepcopy
from inspect import signature
from typing import Any

from mmengine.config import Config, DictAction

from abc_mmdet.errors import UserError
from abc_mmdet.models.detectors import SlicedDetector
from abc_mmdet.models.merging import MERGES
from abc_mmdet.utils.wrapped import walk

from .config_parts import type_name

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

    Examples:
        >>> parser = ArgumentParser()
        >>> _ = parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions)
        >>> parser.parse_args(['--cfg-options', 'a.b=[1,2]']).cfg_options
        {'a.b': [1, 2]}
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


_EVALUATED = ('val_dataloader', 'test_dataloader')
RESIZES = ('Resize', 'FixScaleResize', 'FixShapeResize')
DETECTOR = 'SlicedDetector'

OWN = ('type', *signature(SlicedDetector).parameters)
"""Fields that are of the slicing and not of the detector."""

MOST_UPSCALE = 16

DIVISOR = 32
"""Of the sides of a slice, for a detector whose pipeline and not whose preprocessor pads."""


def sliced(
    config: Config,
    slice_size: tuple[int, int],
    overlap: float = 0.2,
    batch_size: int = 8,
    full_image: bool | str = True,
    merge: str | dict | None = None,
    upscale: float = 1.0,
) -> Config:
    """The experiment with its detector inside a :class:`SlicedDetector`.

    Its checkpoints load as they are. Slicing an image that was shrunk first would be no use, so
    in the pipelines of validation and test images keep the size of their files, times ``upscale``:
    ``Resize`` is changed, and ``Pad`` left out: the detector pads slices itself, to multiples of
    :data:`DIVISOR` if nothing else did.

    The result is for MMEngine's runner, ``MODELS.build`` and MMDetection's ``init_detector`` alike.

    Args:
        config: the experiment; left as it is. If it is sliced already, the settings change.
        slice_size: width and height of a slice.
        overlap, batch_size, full_image: as in :class:`SlicedDetector`.
        merge: ``'nms'``, ``'nmm'``, ``'wbf'``, or a dict with ``type``, ``threshold``, ``metric``.
        upscale: factor by which images are enlarged before they are sliced. A detector works best
            on objects as large as those it was trained on.

    Raises:
        UserError: a detector of event recordings, which come in one piece, or a factor that is
            not positive.
    """
    _check_upscale(upscale)
    config = deepcopy(config)
    if 'model' not in config or type_name(config.model) == 'StreamingDetector':
        raise UserError(
            f'{config.filename} has no detector of images: recordings of events are not sliced.'
        )
    detector = _unsliced(config.model)
    settings = sliced_model(detector['type'], slice_size, overlap, batch_size, full_image, merge)
    config.model = dict(detector, **settings)
    for loader in _EVALUATED:
        if config.get(loader):
            for _, dataset in walk(config[loader].dataset):
                if 'pipeline' not in dataset:
                    continue
                if any(type_name(step) == 'Pad' for step in dataset['pipeline']):
                    _let_preprocessor_pad(config.model)
                dataset['pipeline'] = unshrunk(dataset['pipeline'], upscale)
    # A pipeline of its own for test-time augmentation resizes as it pleases; tools/test.py makes
    # one with flips from the pipeline of the test
    config.pop('tta_pipeline', None)
    return config


def _unsliced(model: dict) -> dict:
    """The config of a detector without that of its slices, if it has one."""
    if type_name(model) != DETECTOR:
        return model
    if isinstance(model['detector'], dict):
        return model['detector']
    others = {key: value for key, value in model.items() if key not in OWN}
    return dict(others, type=model['detector'])


def _let_preprocessor_pad(detector: dict) -> None:
    """Levels of a pyramid fit each other only if sides are multiples of the strides."""
    preprocessor = detector.get('data_preprocessor')
    if preprocessor and preprocessor.get('pad_size_divisor', 1) == 1:
        preprocessor['pad_size_divisor'] = DIVISOR


def sliced_model(
    detector: str | dict,
    slice_size: tuple[int, int],
    overlap: float = 0.2,
    batch_size: int = 8,
    full_image: bool | str = True,
    merge: str | dict | None = None,
) -> dict:
    """Fields of a :class:`SlicedDetector`; arguments as in :func:`sliced`."""
    return dict(
        type=DETECTOR,
        detector=detector,
        slice_size=tuple(slice_size),
        overlap=overlap,
        batch_size=batch_size,
        full_image=full_image,
        merge=dict(type=merge) if isinstance(merge, str) else merge,
    )


def unshrunk(pipeline: list[dict], upscale: float = 1.0) -> list[dict]:
    """A pipeline of a test with images in the size of their files, times ``upscale``.

    Raises:
        UserError: a factor that is not positive.
    """
    _check_upscale(upscale)
    resize = dict(type='Resize', scale_factor=float(upscale), keep_ratio=True)
    kept = [step for step in pipeline if type_name(step) not in (*RESIZES, 'Pad')]
    return [kept[0], resize, *kept[1:]]  # what loads the image comes first in every pipeline


def _check_upscale(upscale: float) -> None:
    if not 0 < upscale <= MOST_UPSCALE:
        raise UserError(
            f'upscale={upscale}: give a factor above 0, such as 1 or 2, and up to {MOST_UPSCALE}: '
            'an image has its square as many pixels then.'
        )
