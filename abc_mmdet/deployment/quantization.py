"""INT8: which layers of an exported graph are quantised, and how well the result still detects."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from abc_mmdet.errors import UserError

from .convolutions import Layers, Ranges, ranges_before_silu
from .engines import Feed, need, open_session
from .recorded import Recorded

Figures = Mapping[str, float]
"""Of an evaluation, by name."""
SCORES = 'all_scores'
"""What every exported graph has before its suppression: scores of the candidates."""
FOR_HARM = 8
"""Images on which the harm of a group of layers is measured."""
GROUPS = 8
"""Into which the layers are divided for that."""


@dataclass(frozen=True)
class Step:
    """A quantised graph and what it was worth.

    Attributes:
        in_float: layers that were left in float32, in the order in which they were.
        figures: of the evaluation.
        size: of the file, in bytes.
    """

    in_float: tuple[str, ...]
    figures: Figures
    size: int


@dataclass
class Quantised:
    """What came of it.

    Attributes:
        content: of the file; None if nothing but float32 keeps the small objects.
        before: figures of the graph in float32.
        steps: what was tried, the last one being ``content`` if there is one.
    """

    content: bytes | None
    before: Figures
    steps: list[Step] = field(default_factory=list)


def quantise(
    content: bytes,
    images: Sequence[Feed],
    evaluate: Callable[[bytes], Figures],
    keep: str = 'AP_small',
    tolerance: float = 0.01,
    on_step: Callable[[Step], Any] = lambda step: None,
) -> Quantised:
    """Quantise convolutions to 8 bits, but for those without which small objects are lost.

    Static quantisation after training: 8-bit weights per channel, and 8-bit activations whose
    ranges are those on ``images`` (Jacob et al., 2018; onnxruntime's QDQ). All other operations
    stay in float32: decoding would have steps of several pixels in 8 bits.

    Three kinds of layers are left in float32 from the start: the first one, whose few channels
    carry all that is seen of an object of 8 pixels; those that predict; and those of one channel
    each (depthwise), whose weights are few and whose channels have ranges of their own, where 8
    bits have one range for all (Sheng et al., 2018, "A quantization-friendly separable convolution
    for MobileNets"). What goes into a SiLU has the range of
    :func:`~abc_mmdet.deployment.convolutions.ranges_before_silu`.

    If ``keep`` falls by more than ``tolerance``, groups of neighbours among the others go back to
    float32, the group first that alone does most harm to the scores, and the rest is quantised
    again.

    Args:
        content: an exported model in float32.
        images: inputs of the graph; with small objects, whose activations have to be in range.
        evaluate: figures of a model.
        keep: the figure that must not fall.
        tolerance: by how much it may; 0.01 is a point.
        on_step: is told of every trial.

    Raises:
        UserError: onnxruntime is missing, or there is nothing to calibrate on.
    """
    need('onnx', 'onnxruntime')
    if not images:
        raise UserError('INT8 needs images to calibrate on: there is none.')
    layers = Layers.of(content)
    before = evaluate(content)
    result = Quantised(None, before)
    ranges = ranges_before_silu(content, images)
    kept = {layers.first, *layers.predicting, *layers.depthwise}
    in_float = [name for name in layers.all if name in kept]

    def is_enough() -> bool:
        """Whether small objects are kept with the rest in 8 bits."""
        trial = _with_int8(content, images, layers.without(in_float), ranges)
        step = Step(tuple(in_float), evaluate(trial), len(trial))
        result.steps.append(step)
        on_step(step)
        if before[keep] - step.figures[keep] > tolerance:
            return False
        result.content = trial
        return True

    if not layers.without(in_float) or is_enough():
        return result
    groups = _by_harm(content, images[:FOR_HARM], layers.without(in_float), ranges)
    for group in groups[:-1]:  # with the last one nothing would be in 8 bits
        in_float += group
        if is_enough():
            break
    return result


def _with_int8(
    content: bytes,
    images: Sequence[Feed],
    layers: Sequence[str],
    ranges: Ranges,
) -> bytes:
    """The model with these convolutions in 8 bits, with these ranges and otherwise those seen."""
    onnx, _, quantization = need('onnx', 'onnxruntime', 'onnxruntime.quantization')

    given = onnx.load_from_string(content)
    own = {node.output[0] for node in given.graph.node if node.name in set(layers)}
    overrides = {
        name: [dict(rmin=np.float32(low), rmax=np.float32(high))]
        for name, (low, high) in ranges.items()
        if name in own
    }

    class Reader(quantization.CalibrationDataReader):  # type: ignore[name-defined]
        def __init__(self) -> None:
            self.rest: Iterator[Feed] = iter(images)

        def get_next(self) -> Feed | None:
            return next(self.rest, None)

    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)  # it says that graphs should be optimised before; these are
    try:
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(folder, 'float.onnx'), Path(folder, 'int8.onnx')
            source.write_bytes(content)
            quantization.quantize_static(
                str(source),
                str(out),
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=['Conv'],
                nodes_to_quantize=list(layers),
                per_channel=True,
                # Without it, sums of two products overflow 16 bits on CPUs that have no VNNI
                reduce_range=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                extra_options=dict(TensorQuantOverrides=overrides) if overrides else None,
            )
            model = onnx.load(str(out))
    finally:
        log.setLevel(level)
    kept = {entry.key: entry.value for entry in given.metadata_props}
    recorded = replace(Recorded.from_properties(kept, 'the model'), precision='int8')
    del model.metadata_props[:]
    for key, value in recorded.to_properties().items():
        model.metadata_props.add(key=key, value=value)
    return model.SerializeToString()


def _by_harm(
    content: bytes,
    images: Sequence[Feed],
    names: Sequence[str],
    ranges: Ranges,
) -> list[list[str]]:
    """Layers in groups, the one first that changes scores most when it alone is quantised."""
    size = max(-(-len(names) // GROUPS), 1)
    groups = [list(names[i : i + size]) for i in range(0, len(names), size)]
    expected = _scores(content, images)
    harm = []
    for group in groups:
        pairs = zip(
            _scores(_with_int8(content, images, group, ranges), images), expected, strict=True
        )
        harm.append(sum(float(np.abs(ours - theirs).sum()) for ours, theirs in pairs))
    return [groups[i] for i in np.argsort(-np.array(harm), kind='stable')]


def _scores(content: bytes, images: Sequence[Feed]) -> list[np.ndarray]:
    """Scores of all candidates, also where the graph goes on to suppress them."""
    (onnx,) = need('onnx')
    model = onnx.load_from_string(content)
    if SCORES not in {output.name for output in model.graph.output}:
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(SCORES, onnx.TensorProto.FLOAT, None)
        )
    session = open_session(model.SerializeToString())
    return [session.run([SCORES], dict(feed))[0] for feed in images]
