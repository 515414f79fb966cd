# ABC on MMPreTrain's ConvNeXt-tiny. From scratch as it stands; to start from ImageNet weights set
# model.backbone.init_cfg=dict(type='Pretrained', checkpoint=FILE, prefix='backbone.').
_base_ = './abc_100k.py'

custom_imports = dict(imports=['abc_mmdet', 'mmpretrain.models'], allow_failed_imports=False)

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ConvNeXt',
        arch='tiny',
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.1,
        gap_before_final_norm=False),
    neck=dict(in_channels=[96, 192, 384, 768]))
