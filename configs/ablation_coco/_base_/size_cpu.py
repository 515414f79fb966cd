# Fine-tuning on a CPU: YOLOX-Nano, which learns from crops of 256 x 256 pixels.
size = dict(
    weights='{{$ABC_YOLOX_NANO:weights/yolox_nano_coco.pth}}',
    width=0.25,
    depthwise=True,
    crop=(256, 256),
    batch=8,
    workers=0,  # a run has one core, and decoded images stay in memory
    max_iters=dict(hituav=400, deeppcb=800),
    lr=1e-3)
