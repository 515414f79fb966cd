"""Convolutions of a graph by what they are for."""

import pytest

from abc_mmdet.deployment.convolutions import Layers
from abc_mmdet.errors import UserError

from .graphs import separable

onnx = pytest.importorskip('onnx', reason="pip install 'abc_mmdet[onnx]'")


def test_layers(files) -> None:
    """RetinaNet predicts classes and boxes on each of three levels."""
    content = files.onnx.read_bytes()
    layers = Layers.of(content)
    assert layers.depthwise == []
    graph = onnx.load_from_string(content).graph
    by_name = {node.name: node for node in graph.node}
    shapes = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    assert shapes[by_name[layers.first].input[1]][1] == 3, 'channels of the image'
    modules = [layers.modules[name] for name in layers.predicting]
    assert sorted(modules) == ['bbox_head.retina_cls'] * 3 + ['bbox_head.retina_reg'] * 3
    with pytest.raises(UserError, match='no convolutions'):
        empty = onnx.helper.make_graph([], 'none', [], [])
        Layers.of(onnx.helper.make_model(empty).SerializeToString())


def test_depthwise_layers() -> None:
    layers = Layers.of(separable())
    assert layers.all == ['first', 'depthwise', 'last']
    assert layers.depthwise == ['depthwise'] and layers.predicting == ['last']
    assert layers.without(['depthwise']) == ['first', 'last']
    assert layers.modules['depthwise'] == 'backbone.depthwise'
