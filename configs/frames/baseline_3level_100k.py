# What ABC has to beat on frames: YOLOX-s on strides 8, 16, 32 with the same recipe.
_base_ = [
    '../_base_/models/yolox_3level.py',
    '../_base_/datasets/etram_frames.py',
    '../_base_/schedules/one_cycle_100k.py',
    '../_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(num_classes=8),
    test_cfg=dict(nms=dict(iou_threshold=0.45)))
