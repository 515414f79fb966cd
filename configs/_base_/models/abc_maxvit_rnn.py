# ABC on RVT-B: the heads of abc_yolox.py on the backbone of maxvit_rnn_4level.py, assigned as RVT
# does.
# Children give model.bbox_head.classes and model.bbox_head.small_classes.
_base_ = './abc_yolox.py'

norm_cfg = dict(type='BN', momentum=0.1, eps=1e-5)

model = dict(
    type='StreamingDetector',
    data_preprocessor=dict(_delete_=True, type='EventDataPreprocessor'),
    backbone=dict(
        _delete_=True,
        type='MaxViTRNN',
        arch='base',
        in_channels=20,
        partition_split=2,
        out_indices=(0, 1, 2, 3)),
    neck=dict(in_channels=[64, 128, 256, 512], num_csp_blocks=2, norm_cfg=norm_cfg),
    bbox_head=dict(
        main_head=dict(norm_cfg=norm_cfg),
        aux_head=dict(
            norm_cfg=norm_cfg, train_cfg=dict(assigner=dict(type='CenterSimOTAAssigner')))),
    train_cfg=dict(assigner=dict(type='CenterSimOTAAssigner', center_radius=1.5)),
    test_cfg=dict(nms=dict(iou_threshold=0.45)))
