"""Draw slices and merged detections: show_slices.py CONFIG CKPT IMAGE OUT --slice 640x640."""

import argparse
import os
from pathlib import Path

import cv2
import torch
from mmengine.config import DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

import abc_mmdet  # noqa: F401  before mmdet: it provides what mmdet.models imports
from abc_mmdet.apis import (
    check_checkpoint,
    config_mistakes,
    file_mistakes,
    load_experiment,
    sliced,
    user_messages,
)
from abc_mmdet.apis.frame_size import frame_size
from abc_mmdet.errors import UserError
from abc_mmdet.models.merging import MERGES
from abc_mmdet.visualization import draw_slices
from mmdet.apis import inference_detector
from mmdet.registry import MODELS


def main() -> None:
    parser = argparse.ArgumentParser(
        description='Draw the slices of an image and what was found in it.'
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('image', help='image file')
    parser.add_argument('out', help='picture to write (.png, .jpg)')
    parser.add_argument('--slice', type=frame_size, required=True, metavar='WxH')
    parser.add_argument('--overlap', type=float, default=0.2)
    parser.add_argument('--merge', choices=list(MERGES), default='nms')
    parser.add_argument('--upscale', type=float, default=1.0)
    parser.add_argument('--score-thr', type=float, default=0.3)
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='overrides')
    args = parser.parse_args()
    check_checkpoint(args.checkpoint, 'checkpoint')
    image = cv2.imread(args.image)
    if image is None:
        raise UserError(f'{args.image} is no image that can be read.')
    config = load_experiment(args.config, args.cfg_options)
    settings = dict(overlap=args.overlap, merge=args.merge, upscale=args.upscale)
    with config_mistakes(args.config):
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
        config = sliced(config, args.slice, **settings)
        init_default_scope(config.get('default_scope', 'mmdet'))
        model = MODELS.build(config.model).to(device).eval()
    # MMDetection's init_detector looks for a backbone in config.model, where the slices are now
    checkpoint = load_checkpoint(model, args.checkpoint, map_location='cpu')
    model.cfg = config
    result = inference_detector(model, args.image)
    views = [view for view in model.views(0, result.img_shape) if view.scale == (1.0, 1.0)]
    slices = [[side / args.upscale for side in view.part] for view in views]
    names = checkpoint['meta']['dataset_meta']['classes']
    picture = draw_slices(image, slices, result.pred_instances, names, args.score_thr)
    out = Path(args.out)
    with file_mistakes():
        out.parent.mkdir(parents=True, exist_ok=True)
        new = out.with_name(f'.new_{out.name}')
        if not cv2.imwrite(str(new), picture):
            raise UserError(f'{args.out}: OpenCV could not write it; is the ending .png or .jpg?')
        os.replace(new, out)
    print(f'{out}: {len(slices)} slices')


if __name__ == '__main__':
    with user_messages():
        main()
