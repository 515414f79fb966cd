"""The convolutions of an exported graph: what each is for, and its name in the detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from abc_mmdet.errors import UserError

from .engines import need


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
