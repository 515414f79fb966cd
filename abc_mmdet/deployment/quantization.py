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

    If ``keep`` falls by more than ``tolerance``, layers go back to float32, and the rest is
    quantised again: first the layers that predict, then the first layer, then the others in
    groups of neighbours, the group first that alone does most harm to the scores.

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
    in_float: list[str] = []

    def is_enough() -> bool:
        """Whether small objects are kept with the rest in 8 bits."""
        trial = _with_int8(content, images, layers.without(in_float))
        step = Step(tuple(in_float), evaluate(trial), len(trial))
        result.steps.append(step)
        on_step(step)
        if before[keep] - step.figures[keep] > tolerance:
            return False
        result.content = trial
        return True

    if is_enough():
        return result
    for group in (layers.predicting, [layers.first]):
        in_float += [name for name in group if name not in in_float]
        if is_enough():
            return result
    groups = _by_harm(content, images[:FOR_HARM], layers.without(in_float))
    for group in groups[:-1]:  # with the last one nothing would be in 8 bits
        in_float += group
        if is_enough():
            break
    return result


@dataclass(frozen=True)
class Layers:
    """Convolutions of a graph, by the names of their nodes, in the order of the graph.

    Attributes:
        all: of them.
        first: the one that sees the image.
        predicting: those behind which there is no other.
        modules: what each is called in the detector, as far as the graph says it.
    """

    all: list[str]
    first: str
    predicting: list[str]
    modules: dict[str, str]

    @classmethod
    def of(cls, content: bytes) -> Layers:
        """Of a model.

        Raises:
            UserError: it has no convolution, or one without a name.
        """
        (onnx,) = need('onnx')
        nodes = onnx.load_from_string(content).graph.node
        convolutions = [node for node in nodes if node.op_type == 'Conv']
        layers = [node.name for node in convolutions]
        modules = {node.name: _module(node.input[1]) or node.name for node in convolutions}
        if not layers or not all(layers):
            raise UserError('the graph has no convolutions with names, so nothing to quantise.')
        leads_on: set[str] = set()  # names of values that a convolution comes to see
        predicting = []
        for node in reversed(nodes):  # a graph is in the order in which it is computed
            is_seen = any(output in leads_on for output in node.output)
            if node.op_type == 'Conv' and not is_seen:
                predicting.append(node.name)
            if is_seen or node.op_type == 'Conv':
                leads_on.update(node.input)
        return cls(layers, layers[0], predicting[::-1], modules)

    def without(self, names: Sequence[str]) -> list[str]:
        """All others."""
        return [name for name in self.all if name not in names]


def _module(weight: str) -> str:
    """Of ``detector.neck.out_convs.0.conv.weight`` the module's part."""
    name, dot, _ = weight.removeprefix('detector.').rpartition('.weight')
    return name if dot else ''


def _with_int8(content: bytes, images: Sequence[Feed], layers: Sequence[str]) -> bytes:
    """The model with these convolutions in 8 bits."""
    onnx, _, quantization = need('onnx', 'onnxruntime', 'onnxruntime.quantization')

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
            )
            model = onnx.load(str(out))
    finally:
        log.setLevel(level)
    kept = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
    recorded = replace(Recorded.from_properties(kept, 'the model'), precision='int8')
    del model.metadata_props[:]
    for key, value in recorded.to_properties().items():
        model.metadata_props.add(key=key, value=value)
    return model.SerializeToString()


def _by_harm(content: bytes, images: Sequence[Feed], names: Sequence[str]) -> list[list[str]]:
    """Layers in groups, the one first that changes scores most when it alone is quantised."""
    size = max(-(-len(names) // GROUPS), 1)
    groups = [list(names[i : i + size]) for i in range(0, len(names), size)]
    expected = _scores(content, images)
    harm = []
    for group in groups:
        pairs = zip(_scores(_with_int8(content, images, group), images), expected, strict=True)
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
