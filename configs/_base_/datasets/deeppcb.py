# DeepPCB, defects on circuit boards (Tang et al., 2019), in COCO format, scaled to 384 x 384:
#   data/deeppcb/images/*.jpg, data/deeppcb/annotations/{train,val}.json
_base_ = './etram_frames.py'

data_root = '{{$ABC_DEEPPCB:data/deeppcb}}/'
classes = ('open', 'short', 'mousebite', 'spur', 'copper', 'pin_hole')
small_classes = 'all'
data_help = 'Or set ABC_DEEPPCB=DIR. DeepPCB is at github.com/tangsanli5201/DeepPCB.'
img_scale = (384, 384)  # width, height

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=img_scale, ratio_range=(0.8, 1.25), keep_ratio=True),
    dict(type='RandomCrop', crop_size=img_scale, allow_negative_crop=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='Pad', size=img_scale, pad_val=dict(img=(114, 114, 114))),
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
    num_workers=2,
    dataset=dict(
        data_root=data_root,
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=classes),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(
        data_root=data_root,
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=classes),
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(ann_file=data_root + 'annotations/val.json', small_classes=small_classes)
test_evaluator = val_evaluator
