# ABC on strides 4, 8, 16: no stage for stride 32 in the backbone, and a head half as wide with
# one convolution a tower, so that it costs less at inference than yolox_3level.py. A level takes
# boxes up to 8 of its cells, the coarsest all others: without that the larger classes pay for
# stride 4.
_base_ = './abc_yolox.py'

model = dict(
    backbone=dict(
        arch_ovewrite=[  # CSPDarknet's first three stages: channels, blocks, shortcuts, SPP
            [64, 128, 3, True, False],
            [128, 256, 9, True, False],
            [256, 512, 9, True, False],
        ],
        out_indices=(1, 2, 3)),
    neck=dict(in_channels=[64, 128, 256]),
    bbox_head=dict(main_head=dict(strides=(4, 8, 16), feat_channels=64, stacked_convs=1)),
    train_cfg=dict(assigner=dict(type='SizedSimOTAAssigner', max_cells=8)))
