# For images, trained from scratch (docs/from_scratch.md): three levels as in the baseline, but of
# strides 4, 8, 16 with a slim head, each for boxes of up to 8 of its cells; half of the box loss of
# small boxes by normalised Wasserstein distance; a wide range of sizes. The auxiliary task gained
# nothing on these levels and is left out: bbox_head.use_auxiliary=True brings it back. For objects
# above 128 pixels of the network input keep the four levels of abc_100k.py.
_base_ = [
    '../_base_/models/abc_yolox_finer.py',
    '../_base_/datasets/etram_frames.py',
    '../_base_/schedules/one_cycle_100k.py',
    '../_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        classes={{_base_.classes}},
        small_classes={{_base_.small_classes}},
        use_auxiliary=False,
        main_head=dict(
            loss_bbox=dict(iou_loss=dict(type='NWDBlendLoss', share=0.5, max_area=24**2))),
        multi_task_loss=dict(aux_weight=0.25)),
    test_cfg=dict(nms=dict(iou_threshold=0.45)))

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomResize', scale={{_base_.img_scale}}, ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size={{_base_.img_scale}}, allow_negative_crop=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size={{_base_.img_scale}}, pad_val=dict(img=(114, 114, 114))),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
