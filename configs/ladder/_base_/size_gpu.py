# The ladder for a GPU: YOLOX-s on whole images, mixed precision.
size = dict(
    backbone_width=0.5,
    backbone_channels=(64, 128, 256, 512),  # of strides 4, 8, 16, 32
    channels=128,  # of the pyramid and the main head
    aux_channels=64,
    aux_depthwise=True,
    image=(640, 512),  # width, height
    crop=(640, 512),
    batch=16,
    workers=4,
    max_iters=4000,
    lr=2e-3,
    cpu_dtype=None)
