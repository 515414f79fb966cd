_base_ = ['../../_base_/models/yolox_3level.py', './experiment.py']

model = dict(
    backbone=dict(widen_factor=_base_.size.backbone_width),
    neck=dict(
        in_channels=_base_.size.backbone_channels[1:], out_channels=_base_.size.channels),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        in_channels=_base_.size.channels,
        feat_channels=_base_.size.channels))
