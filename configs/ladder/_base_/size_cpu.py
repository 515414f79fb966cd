# The ladder for a CPU: narrow networks that learn from crops.
size = dict(
    backbone_width=0.125,
    backbone_channels=(16, 32, 64, 128),  # of strides 4, 8, 16, 32
    channels=32,  # of the pyramid and the main head
    aux_channels=16,
    aux_depthwise=False,  # which a CPU is slow at
    image=(512, 416),  # width, height
    crop=(320, 256),
    batch=8,
    workers=0,  # a run has one core, and decoded images stay in memory
    max_iters=1500,
    lr=4e-3,
    cpu_dtype='bfloat16')
