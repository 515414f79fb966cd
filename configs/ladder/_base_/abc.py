_base_ = ['../../_base_/models/abc_yolox.py', './experiment.py']

model = dict(
    backbone=dict(widen_factor=_base_.size.backbone_width),
    neck=dict(in_channels=_base_.size.backbone_channels, out_channels=_base_.size.channels),
    bbox_head=dict(
        classes=_base_.classes,
        small_classes=_base_.small_classes,
        main_head=dict(in_channels=_base_.size.channels, feat_channels=_base_.size.channels),
        aux_head=dict(
            in_channels=_base_.size.channels,
            feat_channels=_base_.size.aux_channels,
            use_depthwise=_base_.size.aux_depthwise)))
