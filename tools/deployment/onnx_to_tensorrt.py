"""Build a TensorRT engine of an exported detector: onnx_to_tensorrt.py MODEL.onnx OUT.engine."""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import abc_mmdet  # noqa: F401  before mmdet: it provides what mmdet.models imports
from abc_mmdet.apis import frame_size, user_messages
from abc_mmdet.apis.options import whole_number
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.deployment.engines import need
from abc_mmdet.deployment.recorded import Recorded
from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import atomic_write


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Build a TensorRT engine for the GPU of this machine. It holds for this GPU '
        'and this version of TensorRT; keep the ONNX file, which says how to prepare images.'
    )
    parser.add_argument('model', help='file of export_onnx.py')
    parser.add_argument('out', type=Path, help='file to write, .engine')
    parser.add_argument('--fp16', action='store_true', help='let TensorRT choose half precision')
    parser.add_argument(
        '--size',
        type=frame_size,
        metavar='WxH',
        help='largest input; default 640x640, or the size that the model is fixed to',
    )
    parser.add_argument('--batch', type=whole_number, default=8, help='largest batch; default 8')
    args = parser.parse_args()
    if args.out.suffix != '.engine':
        raise UserError(f'{args.out}: the name must end in .engine.')
    if args.batch < 1:
        raise UserError(f'--batch {args.batch}: give a number from 1 on.')
    return args


def tensorrt() -> Any:
    """The package.

    Raises:
        UserError: it, or a GPU of NVIDIA, is missing.
    """
    try:
        package = importlib.import_module('tensorrt')
    except ImportError as error:
        raise UserError(
            f'TensorRT is not installed here ({error}): pip install tensorrt, on a machine with a '
            'GPU of NVIDIA. On a CPU tools/infer.py --engine openvino or onnx runs the file.'
        ) from error
    from torch import cuda  # not above: Ctrl-C while it is imported is for user_messages

    if not cuda.is_available():
        raise UserError('TensorRT builds an engine on the GPU it is for, and there is none here.')
    return package


def build(trt: Any, content: bytes, recorded: Recorded, args: argparse.Namespace) -> bytes:
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(content):
        reasons = [str(parser.get_error(i)) for i in range(parser.num_errors)]
        raise UserError(
            f'TensorRT cannot read {args.model}: {reasons[0] if reasons else "no reason given"}. '
            'An export with --no-nms has fewer kinds of operations.'
        )
    settings = builder.create_builder_config()
    if args.fp16:
        settings.set_flag(trt.BuilderFlag.FP16)
    rows, columns = recorded.multiples
    width, height = recorded.size or args.size or (640, 640)
    width, height = -(-width // columns) * columns, -(-height // rows) * rows
    least = (width, height) if recorded.size else (2 * columns, 2 * rows)
    profile = builder.create_optimization_profile()
    bounds = [(n, 3, h, w) for n, (w, h) in ((1, least), (1, (width, height)))]
    profile.set_shape('images', *bounds, (args.batch, 3, height, width))
    if recorded.clips:
        profile.set_shape('image_sizes', (1, 2), (1, 2), (args.batch, 2))
    settings.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, settings)
    if engine is None:
        raise UserError(f'TensorRT could not build an engine of {args.model}; it says why above.')
    return bytes(engine)


def main() -> int:
    args = parse_args()
    check_outputs({'OUT': args.out}, [args.model])
    if not Path(args.model).is_file():
        raise UserError(
            f'there is no file {args.model}; tools/deployment/export_onnx.py writes it.'
        )
    trt = tensorrt()
    (onnx,) = need('onnx')
    content = Path(args.model).read_bytes()
    properties = onnx.load_from_string(content).metadata_props
    recorded = Recorded.from_properties({e.key: e.value for e in properties}, args.model)
    if recorded.input != 'images':
        raise UserError(f'{args.model} is a detector of events; this is for those of images.')
    engine = build(trt, content, recorded, args)
    atomic_write(args.out, engine)
    print(f'{args.out}: {len(engine) / 2**20:.1f} MB, for the GPU of this machine')
    return 0


if __name__ == '__main__':
    with user_messages():
        sys.exit(main())
