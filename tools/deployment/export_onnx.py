"""Write a detector as ONNX: export_onnx.py CONFIG CHECKPOINT OUT.onnx."""

import argparse
import sys
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

import abc_mmdet  # noqa: F401  before mmdet: it provides what mmdet.models imports
from abc_mmdet.apis import check_checkpoint, frame_size, load_experiment, user_messages
from abc_mmdet.apis.options import ConfigOptions, real_number, whole_number
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.checkpoints.loading import add_trust_option
from abc_mmdet.deployment import Exported, export_onnx, write_onnx
from abc_mmdet.deployment.convolutions import Layers
from abc_mmdet.deployment.quantization import quantise
from abc_mmdet.deployment.validation import calibration_images, figures
from abc_mmdet.errors import UserError
from abc_mmdet.inference.sources import find_sources


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Write a detector as ONNX, without its auxiliary branch, and compare it with '
        'PyTorch. If they differ, nothing is written and the exit code is 1.'
    )
    parser.add_argument('config', help='config the checkpoint was trained with')
    parser.add_argument('checkpoint', help='checkpoint of that run')
    parser.add_argument('out', help='file to write, .onnx')
    parser.add_argument(
        '--fp16', action='store_true', help='half precision inside, float32 outside'
    )
    parser.add_argument(
        '--no-nms', dest='nms', action='store_false', help='end before non-maximum suppression'
    )
    parser.add_argument(
        '--size',
        type=frame_size,
        metavar='WxH',
        help='size to export and compare at; default: that of the test pipeline',
    )
    parser.add_argument('--fixed-size', action='store_true', help='take inputs of that size alone')
    parser.add_argument(
        '--opset', type=whole_number, default=18, help="version of ONNX's operators"
    )
    parser.add_argument(
        '--images', help='file, folder or pattern to compare on; default: generated'
    )
    group = parser.add_argument_group('8 bits, for detectors of images with validation data')
    group.add_argument(
        '--int8',
        action='store_true',
        help='quantise convolutions, calibrated on training images with small objects; AP before '
        'and after on the validation data. Layers without which AP_small falls by more than '
        '--int8-tolerance stay in float32, and are named',
    )
    group.add_argument(
        '--int8-tolerance',
        type=real_number,
        default=0.01,
        help='how far AP_small may fall; default 0.01, a point',
    )
    group.add_argument(
        '--calibrate', type=whole_number, default=64, metavar='N', help='on N images; default 64'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        help='overrides, as those of the training run: key.subkey=value, data_root, classes, ...',
    )
    add_trust_option(parser)
    args = parser.parse_args()
    if args.int8 and args.fp16:
        raise UserError('--int8 and --fp16 are two precisions: give one of them.')
    return args


def report(exported: Exported) -> None:
    recorded, agreement, bound = exported.recorded, exported.agreement, exported.bound
    print(f'inputs: images (batch, channels, {"height, width" if not recorded.size else "fixed"})')
    if recorded.size:
        width, height = recorded.size
        print(f'  height {height}, width {width}')
    else:
        print('  height and width in multiples of {} and {}'.format(*recorded.multiples))
    if recorded.states:
        print(f'  states, of the same batch: {", ".join(recorded.states)}')
    print('maximum difference from PyTorch:')
    print(f'  scores {agreement.score:.2e}, boxes {agreement.box:.2e} pixels', end='')
    print(f', states {agreement.state:.2e}' if recorded.states else '')
    print(
        f'  allowed: {bound.score:g} for scores, {bound.pixels:g} pixels or {bound.share:g} of its '
        f'size for a box, of which {agreement.of_allowed:.2g} is used'
    )
    print(
        f'suppression: {agreement.alike} of {agreement.detections} detections alike, '
        f'{agreement.surplus} others'
    )
    if not agreement.detections:
        print(
            f'Nothing was found with a score above {recorded.score_thr:g}, so neither boxes nor '
            'suppression were compared: give --images with objects, or a trained checkpoint.',
            file=sys.stderr,
        )


def print_row(name: str, figures: Mapping[str, float], size: int) -> None:
    values = '  '.join(f'{key} {value:.3f}' for key, value in figures.items())
    print(f'  {name:30}  {values}  {size / 2**20:.1f} MB', flush=True)


def in_int8(content: bytes, config: Config, tolerance: float, number: int) -> bytes | None:
    """The model in 8 bits, with all that was tried said; None if small objects were lost."""
    images = calibration_images(content, config, number)
    layers = Layers.of(content)
    print(
        f'8 bits: {len(layers.all)} convolutions, calibrated on {len(images)} training images '
        'with small objects; on the validation data:'
    )

    def measure(model: bytes) -> dict[str, float]:
        found = figures(model, config)
        if model is content:
            print_row('float32', found, len(content))
        return found

    result = quantise(
        content,
        images,
        measure,
        tolerance=tolerance,
        on_step=lambda step: print_row(
            f'int8, {len(step.in_float)} in float32' if step.in_float else 'int8',
            step.figures,
            step.size,
        ),
    )
    if result.content is None:
        return None
    if result.steps[-1].in_float:
        names = [layers.modules[name] for name in result.steps[-1].in_float]
        print(f'left in float32: {", ".join(names)}')
    return result.content


def main() -> int:
    args = parse_args()
    if Path(args.out).suffix != '.onnx':
        raise UserError(f'{args.out}: the name must end in .onnx.')
    warnings.filterwarnings('ignore')  # of PyTorch about its exporter, and of the exporter
    config = load_experiment(args.config, args.cfg_options)
    check_outputs({'OUT': args.out}, [args.config, args.checkpoint], config)
    check_checkpoint(args.checkpoint, 'checkpoint')
    images = [source.path for source in find_sources([args.images])] if args.images else []
    exported = export_onnx(
        config,
        args.checkpoint,
        fp16=args.fp16,
        nms=args.nms,
        size=args.size,
        fixed_size=args.fixed_size,
        opset=args.opset,
        images=images[:2],
    )
    report(exported)
    if not exported.is_good:
        print('The exported model differs by more than that; nothing was written.', file=sys.stderr)
        return 1
    if args.int8:
        content = in_int8(exported.content, config, args.int8_tolerance, args.calibrate)
        if content is None:
            print(
                'AP_small falls by more than that with any layers in 8 bits; nothing was written.',
                file=sys.stderr,
            )
            return 1
        exported = replace(exported, content=content)
    write_onnx(exported, args.out)
    print(f'{args.out}: {len(exported.content) / 2**20:.1f} MB')
    return 0


if __name__ == '__main__':
    with user_messages():
        sys.exit(main())
