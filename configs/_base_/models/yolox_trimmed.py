# YOLOX on strides 8 and 16, for data without large objects: the levels that remain are those of
# YOLOX on strides 8, 16, 32 with nothing from above, and take its weights over. A sixth of the
# FLOPs less (a quarter with depthwise convolutions): spend it on a larger input. Size s; children
# narrow it.
_base_ = './yolox_3level.py'

model = dict(
    data_preprocessor=dict(pad_size_divisor=16),
    # CSPDarknet without its last stage; type='GrayCSPDarknet' for images without colours
    backbone=dict(
        arch_ovewrite=[
            [64, 128, 3, True, False],
            [128, 256, 9, True, False],
            [256, 512, 9, True, False],
        ],
        out_indices=(2, 3)),
    neck=dict(type='TrimmedPAFPN', context=False),
    bbox_head=dict(strides=(8, 16)))
