# Three levels, but finer ones: strides 4, 8, 16. Without the backbone's last stage, and with a head
# half as wide and one convolution a tower, inference costs less than the baseline's.
_base_ = './aux_025.py'

rung = dict(order=170, title='finer levels, auxiliary weight 0.25, without NWD and sizes')
model = dict(
    backbone=dict(
        arch_ovewrite=[  # CSPDarknet's first three stages: channels, blocks, shortcuts, SPP
            [64, 128, 3, True, False],
            [128, 256, 9, True, False],
            [256, 512, 9, True, False],
        ],
        out_indices=(1, 2, 3)),
    neck=dict(in_channels=_base_.size.backbone_channels[:3]),
    bbox_head=dict(
        main_head=dict(
            strides=(4, 8, 16), feat_channels=_base_.size.channels // 2, stacked_convs=1)))
