# ABC: YOLOX on four levels as main head, an auxiliary head on the two finest in training.
# Children give model.bbox_head.classes and model.bbox_head.small_classes.
_base_ = './yolox_3level.py'

model = dict(
    backbone=dict(out_indices=(1, 2, 3, 4)),
    neck=dict(type='ABCPAFPN', in_channels=[64, 128, 256, 512]),
    bbox_head=dict(
        _delete_=True,
        type='ABCHead',
        main_head=dict(
            type='YOLOXHead',
            in_channels=128,
            feat_channels=128,
            strides=(4, 8, 16, 32),
            norm_cfg={{_base_.norm_cfg}},
            act_cfg={{_base_.act_cfg}},
            loss_bbox=dict(
                type='SizeAwareIoULoss',
                mode='square',
                eps=1e-16,
                reduction='sum',
                loss_weight=5.0)),
        aux_head=dict(
            type='AuxSmallObjectHead',
            in_channels=128,
            strides=(4, 8),
            use_depthwise=True,  # a head that only teaches need not cost much at stride 4
            norm_cfg={{_base_.norm_cfg}},
            act_cfg={{_base_.act_cfg}}),
        multi_task_loss=dict(type='ABCMultiTaskLoss', main_weight=1.0, aux_weight=2.0)))
