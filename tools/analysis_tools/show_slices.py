"""Draw slices and merged detections: show_slices.py CONFIG CKPT IMAGE OUT --slice 640x640."""

import argparse

import abc_mmdet  # noqa: F401  before mmdet: it provides what mmdet.models imports
from abc_mmdet.apis import add_slice_arguments, load_experiment, slicing_of, user_messages
from abc_mmdet.apis.options import ConfigOptions, real_number
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.checkpoints.loading import add_trust_option
from abc_mmdet.inference import Detector
from abc_mmdet.inference.images import read_image, write_image
from abc_mmdet.visualization import draw_slices


def main() -> None:
    parser = argparse.ArgumentParser(
        description='Draw the slices of an image and what was found in it.'
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('image', help='image file')
    parser.add_argument('out', help='image to write (.png, .jpg)')
    add_slice_arguments(parser, required=True)
    parser.add_argument('--score-thr', type=real_number, default=0.3)
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='overrides')
    add_trust_option(parser)
    args = parser.parse_args()
    config = load_experiment(args.config, args.cfg_options)
    check_outputs({'OUT': args.out}, [args.config, args.checkpoint, args.image], config)
    image = read_image(args.image)
    detector = Detector(config, args.checkpoint, slicing=slicing_of(args))
    upscale = getattr(args, 'upscale', 1.0)
    drawn = detector(image).draw(args.score_thr)
    height, width = (round(side * upscale) for side in image.shape[:2])
    views = detector.model.views(0, (height, width))
    slices = [[side / upscale for side in v.part] for v in views if v.scale == (1.0, 1.0)]
    write_image(args.out, draw_slices(drawn, slices))
    print(f'{args.out}: {len(slices)} slices')


if __name__ == '__main__':
    with user_messages():
        main()
