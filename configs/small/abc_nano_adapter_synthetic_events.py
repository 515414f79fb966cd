# The same with ABC's auxiliary task in training: the levels, and the cost at inference, stay those
# of nano_adapter_synthetic_events.py.
_base_ = './nano_adapter_synthetic_events.py'

model = dict(
    bbox_head=dict(
        _delete_=True,
        type='ABCHead',
        classes={{_base_.classes}},
        small_classes={{_base_.small_classes}},
        main_head={{_base_.model.bbox_head}},
        aux_head=dict(
            type='AuxSmallObjectHead', in_channels=64, feat_channels=64, strides=(8,),
            use_depthwise=True),
        multi_task_loss=dict(type='ABCMultiTaskLoss', aux_weight=0.25)))
