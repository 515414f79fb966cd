# Frames of the project's own traffic generator, in COCO format; to draw them:
#   python tools/dataset_converters/synthetic_traffic.py data/synthetic_traffic
_base_ = './etram_frames.py'

data_root = '{{$ABC_SYNTHETIC_TRAFFIC:data/synthetic_traffic}}/'
classes = ('pedestrian', 'car', 'bicycle', 'bus', 'motorbike', 'truck', 'tram', 'wheelchair')
small_classes = ('pedestrian', 'bicycle', 'motorbike', 'wheelchair')
data_help = (
    'Draw it: python tools/dataset_converters/synthetic_traffic.py data/synthetic_traffic')
img_scale = (320, 192)  # width, height; half of what is on disk

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=img_scale, keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=img_scale, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(ann_file=data_root + 'annotations/val.json', small_classes=small_classes)
test_evaluator = val_evaluator
