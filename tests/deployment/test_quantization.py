"""8 bits: which convolutions, and in which order they come back."""

import numpy as np
import pytest

from abc_mmdet.deployment import quantization
from abc_mmdet.deployment.convolutions import Layers
from abc_mmdet.deployment.quantization import quantise
from abc_mmdet.errors import UserError

onnx = pytest.importorskip('onnx', reason="pip install 'abc_mmdet[onnx]'")


@pytest.fixture(scope='module')
def content(files) -> bytes:
    return files.onnx.read_bytes()


@pytest.fixture(scope='module')
def images() -> list[dict]:
    coarse = np.random.default_rng(0).normal(0, 1, (2, 1, 3, 8, 12))
    sizes = np.array([[64, 96]], np.float32)
    blobs = [np.kron(image, np.ones((1, 1, 8, 8))).astype(np.float32) for image in coarse]
    return [{'images': image, 'image_sizes': sizes} for image in blobs]


def in_int8(model: bytes) -> set[str]:
    """Convolutions whose weights come out of a DequantizeLinear."""
    nodes = onnx.load_from_string(model).graph.node
    made = {output: node.op_type for node in nodes for output in node.output}
    return {
        node.name
        for node in nodes
        if node.op_type == 'Conv' and made.get(node.input[1]) == 'DequantizeLinear'
    }


def test_all_but_the_ends_if_nothing_is_lost(content: bytes, images: list[dict]) -> None:
    layers = Layers.of(content)
    result = quantise(content, images, lambda model: dict(AP_small=0.5))
    ends = (layers.first, *layers.predicting)
    assert [step.in_float for step in result.steps] == [ends]
    assert result.content is not None
    assert in_int8(result.content) == set(layers.without(ends))
    assert len(result.content) < 0.6 * len(content)  # weights are a quarter, the graph is not
    kept = {e.key: e.value for e in onnx.load_from_string(result.content).metadata_props}
    assert kept['precision'] == '"int8"' and kept['classes'] == '["car", "van", "person"]'


@pytest.mark.slow
def test_layers_come_back_until_small_objects_do(
    content: bytes, images: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group of neighbours; the figure counts layers in float32."""
    monkeypatch.setattr(quantization, 'GROUPS', 3)
    layers = Layers.of(content)
    told: list = []

    def figure(model: bytes) -> dict[str, float]:
        in_float = len(layers.all) - len(in_int8(model))
        return dict(AP_small=0.5 if in_float > len(layers.predicting) + 1 else 0.4)

    result = quantise(content, images, figure, on_step=told.append)
    assert result.before == dict(AP_small=0.5) and result.steps == told
    tried = [step.in_float for step in result.steps]
    start = (layers.first, *layers.predicting)
    assert len(tried) == 2 and tried[0] == start and tried[1][: len(start)] == start
    group = tried[1][len(start) :]
    assert len(group) in (11, 9), '31 others in three groups'
    at = layers.all.index(group[0])
    assert list(group) == [n for n in layers.all[at:] if n not in start][: len(group)]
    assert result.content is not None
    assert in_int8(result.content) == set(layers.without(tried[-1]))


def test_nothing_is_given_that_loses_them(
    content: bytes, images: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, 'GROUPS', 2)
    calls = iter([0.5])
    result = quantise(content, images, lambda model: dict(AP_small=next(calls, 0.2)))
    assert result.content is None
    lengths = [len(step.in_float) for step in result.steps]
    assert lengths == sorted(set(lengths)), 'more layers each time'
    assert lengths[-1] < len(Layers.of(content).all)
    with pytest.raises(UserError, match='images to calibrate on'):
        quantise(content, [], lambda model: dict(AP_small=0.5))
