"""From config and checkpoint to an ONNX file that was seen to do the same."""

from __future__ import annotations

import copy
import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from abc_mmdet.apis.config_parts import type_name
from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram
from abc_mmdet.errors import UserError
from abc_mmdet.inference.images import image_pipeline
from abc_mmdet.inference.model import (
    event_pipeline,
    histogram_of,
    is_of_events,
    load_inference_model,
    without_auxiliary,
)
from abc_mmdet.utils.atomic_write import atomic_write

from .agreement import FP16, FP32, Agreement, Bound, compare, trial_inputs
from .decoding import Candidates
from .engines import need, open_session
from .exportable_detector import ExportableDetector, example_inputs
from .recorded import Recorded, suppression_of
from .suppression import Suppression

TRANSFORMS = ('Resize', 'Pad')
"""Of a test pipeline, what a program without MMDetection can be asked to do."""
CLIP_TRANSFORMS = ('LoadEventClip', 'PackClipInputs')
"""The whole test pipeline of a detector of events."""
DEFAULT_SIZE = (640, 384)
EVERY_SCORE = 'every_score'
"""An output for the comparison: scores, also of what is no candidate."""


@dataclass(frozen=True)
class Exported:
    """An ONNX model in memory, and how well it agrees with PyTorch."""

    content: bytes
    recorded: Recorded
    agreement: Agreement
    bound: Bound

    @property
    def is_good(self) -> bool:
        return self.bound.allows(self.agreement)


def export_onnx(
    config: Config,
    checkpoint: str,
    fp16: bool = False,
    nms: bool = True,
    size: tuple[int, int] | None = None,
    fixed_size: bool = False,
    opset: int = 18,
    images: Sequence[Any] = (),
) -> Exported:
    """Export a single-stage detector and compare it with PyTorch.

    The auxiliary branch and train-only levels stay behind. Batch, height and width are free, but
    for a recurrent detector or ``fixed_size``, where only the batch is.

    Args:
        config, checkpoint: as in training.
        fp16: layers in half precision; inputs, decoding and outputs stay float32.
        nms: with non-maximum suppression in the graph.
        size: width and height to export and to compare at, rounded up to what the detector needs;
            default: that of the test pipeline, or 640x384.
        fixed_size: only this size.
        opset: version of ONNX's operators, from 18 on.
        images: files or arrays to compare on; default: generated ones.

    Raises:
        UserError: packages are missing, a detector that cannot be exported.
    """
    need('onnx', 'onnxruntime', 'onnxscript')
    if opset < 18:
        raise UserError(f'opset {opset}: from 18 on; PyTorch writes no older ones.')
    detector, classes = load_inference_model(without_auxiliary(config), checkpoint)
    histogram = _histogram(config)
    model = ExportableDetector(detector, 2 * (histogram or StackedHistogram()).bins)
    first, transforms = ({}, []) if model.is_of_events else _transforms(config)
    is_fixed = fixed_size or model.is_recurrent
    width, height = _rounded(size or _size(transforms), model, least=1 if is_fixed else 2)
    fixed = (width, height) if is_fixed else None
    to_float32 = bool(first.get('to_float32', False))
    recorded = record(model, classes, histogram, fixed, to_float32, transforms, nms, fp16)

    exported = copy.deepcopy(model)
    if fp16:
        exported.detector.half()
    raw = _to_onnx(exported, recorded, (width, height), opset)
    final = _without_output(raw, EVERY_SCORE)
    if nms:
        final = suppression_of(recorded).append_to(final)
    for key, value in recorded.to_properties().items():
        final.metadata_props.add(key=key, value=value)
    content = final.SerializeToString()

    sizes = [(width, height)]
    if recorded.size is None:
        sizes.append(_rounded((width * 3 // 4, height // 2), model))
    bound = FP16 if fp16 else FP32
    sessions = open_session(raw.SerializeToString()), open_session(content)
    inputs = trial_inputs(model, sizes, images)
    agreement = compare(model, sessions, recorded, inputs, bound)
    return Exported(content, recorded, agreement, bound)


def write_onnx(exported: Exported, out: str) -> None:
    """Write it under its name only when it is whole.

    Raises:
        UserError: a place that cannot be written to.
    """
    atomic_write(Path(out), exported.content)


def _transforms(config: Config) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """How an image is loaded, and what happens to it before it is packed."""
    load, *between, _ = image_pipeline(config)
    others = [t['type'] for t in between if str(t['type']).split('.')[-1] not in TRANSFORMS]
    if others:
        raise UserError(
            f'{config.filename}: the test pipeline has {", ".join(map(str, others))}; an ONNX file '
            f'can only record {" and ".join(TRANSFORMS)}.'
        )
    return load, [dict(transform) for transform in between]


def _histogram(config: Config) -> StackedHistogram | None:
    """The representation that a detector of events is given; None for others."""
    if not is_of_events(config):
        return None
    names = [type_name(transform) for transform in event_pipeline(config)]
    others = [name for name in names if name not in CLIP_TRANSFORMS]
    if others:
        raise UserError(
            f'{config.filename}: the test pipeline has {", ".join(others)}; an ONNX file of events '
            f'can only record {" and ".join(CLIP_TRANSFORMS)}.'
        )
    return histogram_of(config)


def _fields(histogram: StackedHistogram) -> dict[str, Any]:
    """Those that a config has; the cutoff is an option of who converts or predicts."""
    return {name: getattr(histogram, name) for name in ('bins', 'window_ms', 'downsample')}


def _size(transforms: Sequence[dict[str, Any]]) -> tuple[int, int]:
    scales = [t['scale'] for t in transforms if t.get('scale')]
    return tuple(scales[-1]) if scales else DEFAULT_SIZE


def _rounded(size: tuple[int, int], model: ExportableDetector, least: int = 2) -> tuple[int, int]:
    """The next larger width and height that the detector can have, so many multiples at least.

    Of a size that is free PyTorch's exporter wants two: it would take a single one for fixed.
    """
    rows, columns = model.multiples
    width, height = size
    return max(least, -(-width // columns)) * columns, max(least, -(-height // rows)) * rows


def record(
    model: ExportableDetector,
    classes: Sequence[str],
    histogram: StackedHistogram | None = None,
    size: tuple[int, int] | None = None,
    to_float32: bool = False,
    transforms: Sequence[dict[str, Any]] = (),
    nms: bool = False,
    fp16: bool = False,
) -> Recorded:
    """What a file of this detector says about itself.

    Args:
        model: in evaluation mode.
        classes: names, by label.
        histogram: of a detector of events.
        size: width and height that the graph is fixed to; None if both are free.
        to_float32, transforms: of the test pipeline of a detector of images.
        nms, fp16: as in :func:`export_onnx`.
    """
    candidates, suppression = Candidates.of(model.head), Suppression.of(model.head)
    preprocessor = None if model.is_of_events else _preprocessor(model)
    swaps = bool(preprocessor and preprocessor['bgr_to_rgb'])
    return Recorded(
        classes=list(classes),
        input='events' if model.is_of_events else 'images',
        size=None if size is None else list(size),
        multiples=list(model.multiples),
        color=None if model.is_of_events else 'rgb' if swaps else 'bgr',
        to_float32=to_float32,
        transforms=list(transforms),
        preprocessor=preprocessor,
        strides=model.strides,
        clips=model.clips,
        score_thr=candidates.score_thr,
        nms_pre=candidates.per_level,
        best_class_only=candidates.best_class_only,
        nms_iou_threshold=suppression.iou_threshold,
        nms_class_agnostic=suppression.class_agnostic,
        max_per_image=suppression.max_per_image,
        nms_in_graph=nms,
        precision='fp16' if fp16 else 'fp32',
        states=model.state_names,
        state_shapes=[list(shape) for shape in model.state_shapes(*(size or (0, 0))[::-1])],
        step_ms=model.step_ms,
        histogram=_fields(histogram) if histogram and model.is_of_events else None,
    )


def _preprocessor(model: ExportableDetector) -> dict[str, Any]:
    """Fields of a ``DetDataPreprocessor`` that pads to what the graph needs."""
    of_model = model.detector.data_preprocessor
    normalises = getattr(of_model, '_enable_normalize', False)
    return dict(
        mean=of_model.mean.flatten().tolist() if normalises else None,
        std=of_model.std.flatten().tolist() if normalises else None,
        bgr_to_rgb=bool(of_model._channel_conversion),
        pad_size_divisor=max(model.multiples),
        pad_value=of_model.pad_value,
    )


def _to_onnx(
    model: ExportableDetector, recorded: Recorded, size: tuple[int, int], opset: int
) -> Any:
    """The graph up to the scores of the candidates, with :data:`EVERY_SCORE` beside them."""
    dim = torch.export.Dim
    batch, (rows, columns) = dim('batch'), recorded.multiples
    of_images: dict[int, Any] = {0: batch}
    if recorded.size is None:
        of_images |= {2: rows * dim('rows'), 3: columns * dim('columns')}
    others = recorded.inputs[1:]
    of_others = [tuple({0: batch} for _ in others)] if others else []
    outputs = [
        'all_boxes',
        'all_scores',
        EVERY_SCORE,
        *(f'{name}_after' for name in recorded.states),
    ]
    with torch.no_grad(), redirect_stdout(io.StringIO()):
        program: Any = torch.onnx.export(
            model,
            example_inputs(model, 2, size[1], size[0]),
            dynamo=True,
            input_names=recorded.inputs,
            output_names=outputs,
            dynamic_shapes=(of_images, *of_others),
            opset_version=opset,
            verbose=False,
        )
    return program.model_proto


def _without_output(model: Any, name: str) -> Any:
    """A copy of a graph that keeps one of its outputs to itself."""
    kept = copy.deepcopy(model)
    outputs = [output for output in kept.graph.output if output.name != name]
    del kept.graph.output[:]
    kept.graph.output.extend(outputs)
    return kept
