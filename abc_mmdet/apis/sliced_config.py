"""An experiment whose images are evaluated in slices."""

from __future__ import annotations

from copy import deepcopy
from inspect import signature

from mmengine.config import Config

from abc_mmdet.datasets.wrapped import walk
from abc_mmdet.errors import UserError
from abc_mmdet.models.detectors import SlicedDetector

from .standard_config import type_name

LOADERS = ('val_dataloader', 'test_dataloader')
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
    if not 0 < upscale <= MOST_UPSCALE:
        raise UserError(
            f'upscale={upscale}: give a factor above 0, such as 1 or 2, and up to {MOST_UPSCALE}: '
            'an image has its square as many pixels then.'
        )
    config = deepcopy(config)
    if 'model' not in config or type_name(config.model) == 'StreamingDetector':
        raise UserError(
            f'{config.filename} has no detector of images: recordings of events are not sliced.'
        )
    detector = _unsliced(config.model)
    settings = dict(merge=dict(type=merge) if isinstance(merge, str) else merge)
    config.model = dict(
        detector,
        type=DETECTOR,
        detector=detector['type'],
        slice_size=tuple(slice_size),
        overlap=overlap,
        batch_size=batch_size,
        full_image=full_image,
        **settings,
    )
    for loader in LOADERS:
        if config.get(loader):
            for _, dataset in walk(config[loader].dataset):
                if 'pipeline' not in dataset:
                    continue
                if any(type_name(step) == 'Pad' for step in dataset['pipeline']):
                    _let_preprocessor_pad(config.model)
                dataset['pipeline'] = _unshrunk(dataset['pipeline'], float(upscale))
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


def _unshrunk(pipeline: list[dict], upscale: float) -> list[dict]:
    """The pipeline with images in the size of their files, times ``upscale``."""
    resize = dict(type='Resize', scale_factor=upscale, keep_ratio=True)
    kept = [step for step in pipeline if type_name(step) not in (*RESIZES, 'Pad')]
    return [kept[0], resize, *kept[1:]]  # what loads the image comes first in every pipeline
