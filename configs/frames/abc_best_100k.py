# The recipe of the ladder (docs/results.md) on images: at inference the 3-level baseline; in
# training P1, an auxiliary weight of 0.25, small boxes compared by normalised Wasserstein distance,
# and a wide range of sizes.
_base_ = './abc_train_only_100k.py'

model = dict(
    bbox_head=dict(
        main_head=dict(
            loss_bbox=dict(iou_loss=dict(type='NWDBlendLoss', share=0.5, max_area=24**2))),
        aux_head=dict(
            train_cfg=dict(
                assigner=dict(
                    type='FastSimOTAAssigner', iou_calculator=dict(type='NWDOverlaps2D')))),
        multi_task_loss=dict(aux_weight=0.25)))

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomResize',
        scale={{_base_.img_scale}},
        ratio_range=(0.5, 1.5),
        keep_ratio=True),
    dict(type='RandomCrop', crop_size={{_base_.img_scale}}, allow_negative_crop=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size={{_base_.img_scale}}, pad_val=dict(img=(114, 114, 114))),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
