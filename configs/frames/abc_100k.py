# ABC on frames in COCO format, the experiment for data of your own: YOLOX-s on four levels, an
# auxiliary head for the small classes on P1 and P2, everything else as published.
_base_ = [
    '../_base_/models/abc_yolox.py',
    '../_base_/datasets/etram_frames.py',
    '../_base_/schedules/one_cycle_100k.py',
    '../_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(classes={{_base_.classes}}, small_classes={{_base_.small_classes}}),
    test_cfg=dict(nms=dict(iou_threshold=0.45)))
