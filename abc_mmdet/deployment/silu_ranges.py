"""Ranges of values in 8 bits that end where the function behind them says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .engines import Feed, need, open_session

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
