"""The convolutions of an exported graph: what each is for, its name, ranges of its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from abc_mmdet.errors import UserError

from .engines import Feed, need, open_session


@dataclass(frozen=True)
class Layers:
    """Convolutions of a graph, by the names of their nodes, in the order of the graph.

    Attributes:
        all: of them.
        first: the one that sees the image.
        predicting: those behind which there is no other.
        depthwise: those that compute every channel from one channel.
        modules: what each is called in the detector, as far as the graph says it.
    """

    all: list[str]
    first: str
    predicting: list[str]
    depthwise: list[str]
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
        depthwise = [node.name for node in convolutions if _groups(node) > 1]
        return cls(layers, layers[0], predicting[::-1], depthwise, modules)

    def without(self, names: Sequence[str]) -> list[str]:
        """All others."""
        return [name for name in self.all if name not in names]


def _module(weight: str) -> str:
    """Of ``detector.neck.out_convs.0.conv.weight`` the module's part."""
    name, dot, _ = weight.removeprefix('detector.').rpartition('.weight')
    return name if dot else ''


def _groups(node: Any) -> int:
    """Of a convolution; 1 where nothing is said."""
    return next((entry.i for entry in node.attribute if entry.name == 'group'), 1)


Ranges = dict[str, tuple[float, float]]
SILENT = -6.0
"""Where SiLU begins to say something: it is -0.015 there, and comes nearer to 0 below."""


def ranges_before_silu(content: bytes, images: Sequence[Feed]) -> Ranges:
    """Ranges for 8 bits, by the name of the value, of what goes from a convolution into a SiLU.

    From the lowest value that was seen, but not from below :data:`SILENT`, to the highest. A range
    that begins where SiLU says nothing spends its 256 steps there: of YOLOX-Nano's 104 half begin
    below -12, and one at -126.

    Args:
        content: of an exported model.
        images: inputs of the graph, on which values are seen.

    Returns:
        Nothing where the graph has no SiLU: a sigmoid and a product of both, or ``Swish``.
    """
    (onnx,) = need('onnx')
    model = onnx.load_from_string(content)
    made = [node.output[0] for node in model.graph.node if node.op_type == 'Conv']
    users: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    names = [name for name in made if _is_only_for_silu(users.get(name, []), users)]
    if not names:
        return {}
    for name in names:
        value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        model.graph.output.append(value)
    session = open_session(model.SerializeToString())
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for feed in images:
        values = session.run(names, dict(feed))
        low = np.minimum(low, [value.min() for value in values])
        high = np.maximum(high, [value.max() for value in values])
    pairs = zip(names, np.maximum(low, SILENT), np.maximum(high, SILENT + 1), strict=True)
    return {name: (float(lowest), float(highest)) for name, lowest, highest in pairs}


def _is_only_for_silu(users: Sequence[Any], of_name: Mapping[str, Sequence[Any]]) -> bool:
    kinds = sorted(node.op_type for node in users)
    if kinds == ['Swish']:  # from version 24 of ONNX's operators on
        return True
    if kinds != ['Mul', 'Sigmoid']:
        return False
    product, sigmoid = sorted(users, key=lambda node: node.op_type)
    return sigmoid.output[0] in product.input and len(of_name[sigmoid.output[0]]) == 1
