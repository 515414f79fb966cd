# Fine-tuning on a GPU: YOLOX-s on crops of 640 x 640 pixels, mixed precision.
size = dict(
    weights=(
        'https://download.openmmlab.com/mmdetection/v2.0/yolox/yolox_s_8x8_300e_coco/'
        'yolox_s_8x8_300e_coco_20211121_095711-4592a793.pth'),
    width=0.5,
    depthwise=False,
    crop=(640, 640),
    batch=16,
    workers=8,
    max_iters=dict(hituav=3000, deeppcb=6000),
    lr=1e-3)
