"""Ranges of 8 bits before SiLU, counted by hand."""

import numpy as np
import pytest

from abc_mmdet.deployment.convolutions import SILENT, ranges_before_silu

from .graphs import separable

pytest.importorskip('onnxruntime', reason="pip install 'abc_mmdet[onnx]'")


def feed(*values: float) -> dict[str, np.ndarray]:
    return dict(images=np.array(values, np.float32).reshape(1, 1, 1, -1))


def test_ranges_end_where_silu_says_nothing() -> None:
    """Times 10: -50 to 20; that of the depthwise one is -2 x SiLU: -40 to 0.56, SiLU's least."""
    ranges = ranges_before_silu(separable(), [feed(-5.0, -0.1278), feed(2.0, 0.0)])
    assert ranges == {
        'first_out': pytest.approx((SILENT, 20.0)),
        'depthwise_out': pytest.approx((SILENT, 2 * 0.27846), abs=1e-4),
    }


def test_a_range_is_no_wider_than_what_was_seen() -> None:
    ranges = ranges_before_silu(separable(), [feed(-0.3, 0.1)])
    assert ranges['first_out'] == pytest.approx((-3.0, 1.0))


def test_what_else_is_read_keeps_its_range() -> None:
    """A value that is an output of the graph as well may matter below, too."""
    import onnx

    model = onnx.load_from_string(separable())
    twice = onnx.helper.make_node('Abs', ['first_out'], ['read_twice'])
    model.graph.node.append(twice)
    assert list(ranges_before_silu(model.SerializeToString(), [feed(1.0)])) == ['depthwise_out']
