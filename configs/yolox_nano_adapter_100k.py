# YOLOX-Nano from COCO with a memory, on eTraM with RVT's recipe: docs/events.md, "A detector of
# images that remembers". model.adapter=None leaves the memory out.
_base_ = [
    './_base_/models/yolox_nano_adapter.py',
    './_base_/datasets/etram_events.py',
    './_base_/schedules/one_cycle_100k.py',
    './_base_/event_runtime.py',
]

load_from = (
    'https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_nano.pth')

model = dict(
    bbox_head=dict(num_classes=8),
    train_cfg=dict(assigner=dict(type='CenterSimOTAAssigner', center_radius=1.5)),
    test_cfg=dict(nms=dict(iou_threshold=0.45)))
