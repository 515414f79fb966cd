# As the auxiliary head of YOLOv7: all classes, the main head's levels, more positives, a weight
# that fades out. It starts as the main head does. No level of stride 4.
_base_ = './baseline.py'

variant = dict(order=75, title='auxiliary head with more positives, all classes, fading out')
head = _base_.model.bbox_head
model = dict(
    bbox_head=dict(
        _delete_=True,
        type='ABCHead',
        classes=_base_.classes,
        small_classes='all',
        main_head=head,
        aux_head=dict(
            type='AuxSmallObjectHead',
            in_channels=_base_.channels,
            feat_channels=_base_.channels,
            num_enhance_convs=0,
            stacked_convs=2,
            use_depthwise=_base_.size.depthwise,
            strides=(8, 16, 32),
            norm_cfg=_base_.norm_cfg,
            act_cfg=_base_.act_cfg,
            train_cfg=dict(
                assigner=dict(
                    type='MinPositivesSimOTAAssigner',
                    center_radius=4.0,
                    candidate_topk=20,
                    min_positives=4,
                    max_side=16))),
        arbiter=None,
        multi_task_loss=dict(type='ABCMultiTaskLoss', main_weight=1.0, aux_weight=0.25)))
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='MultiTaskWeightHook',
        schedule=[dict(begin=0, end=_base_.max_iters, aux_weight=0.0, curve='cosine')]),
]
