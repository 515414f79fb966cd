# RVT-B (Gehrig and Scaramuzza, CVPR 2023): MaxViT stages with a ConvLSTM each, YOLOX on strides 8,
# 16, 32. Batch norm as in RVT, so that its checkpoints load (tools/model_converters/rvt_to_abc.py);
# candidates of a box around its centre alone, as RVT trains.
_base_ = './yolox_3level.py'

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
        out_indices=(1, 2, 3)),
    neck=dict(in_channels=[128, 256, 512], num_csp_blocks=2, norm_cfg=norm_cfg),
    bbox_head=dict(norm_cfg=norm_cfg),
    train_cfg=dict(assigner=dict(type='CenterSimOTAAssigner', center_radius=1.5)),
    test_cfg=dict(nms=dict(iou_threshold=0.45)))
