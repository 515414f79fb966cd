"""A graph small enough to be counted by hand."""

import numpy as np


def separable(opset: int = 18) -> bytes:
    """Three convolutions of 1 x 1 on one channel, times 10, -2 (depthwise, twice) and 1.

    The image goes through the first and SiLU, the depthwise one and SiLU, and the last.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = dict(
        first=np.full((2, 1, 1, 1), 10, np.float32),
        depthwise=np.full((2, 1, 1, 1), -2, np.float32),
        last=np.ones((1, 2, 1, 1), np.float32),
    )
    nodes, name = [], 'images'
    for layer, groups in (('first', 1), ('depthwise', 2), ('last', 1)):
        inputs = [name, f'detector.backbone.{layer}.weight']
        nodes.append(helper.make_node('Conv', inputs, [f'{layer}_out'], name=layer, group=groups))
        name = f'{layer}_out'
        if layer != 'last':
            nodes.append(helper.make_node('Sigmoid', [name], [f'{layer}_sigmoid']))
            nodes.append(helper.make_node('Mul', [name, f'{layer}_sigmoid'], [f'{layer}_silu']))
            name = f'{layer}_silu'
    graph = helper.make_graph(
        nodes,
        'separable',
        [helper.make_tensor_value_info('images', TensorProto.FLOAT, ['b', 1, 'h', 'w'])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ['b', 1, 'h', 'w'])],
        [
            numpy_helper.from_array(array, f'detector.backbone.{layer}.weight')
            for layer, array in weights.items()
        ],
    )
    opsets = [helper.make_opsetid('', opset)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
