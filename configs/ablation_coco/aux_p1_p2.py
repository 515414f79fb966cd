# Train-only ABC: a level of stride 4 that exists in training only, and an auxiliary head for the
# small classes on strides 4 and 8, weight 0.25.
_base_ = './baseline.py'

variant = dict(order=70, title='train-only P1, auxiliary task on P1 and P2')
head = _base_.model.bbox_head
model = dict(
    backbone=dict(out_indices=(1, 2, 3, 4)),
    neck=dict(
        type='ABCPAFPN',
        in_channels=[_base_.channels // 2, *_base_.model.neck.in_channels],
        num_aux_levels=1),
    bbox_head=dict(
        _delete_=True,
        type='ABCHead',
        classes=_base_.classes,
        small_classes=_base_.small_classes,
        main_head=head,
        aux_head=dict(
            type='AuxSmallObjectHead',
            in_channels=_base_.channels,
            feat_channels=_base_.channels // 2,
            strides=(4, 8),
            norm_cfg=_base_.norm_cfg,
            act_cfg=_base_.act_cfg),
        arbiter=None,
        multi_task_loss=dict(type='ABCMultiTaskLoss', main_weight=1.0, aux_weight=0.25)))
