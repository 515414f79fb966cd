# eTraM (Verma et al., CVPR 2024): event recordings in RVT's preprocessed layout,
#   data/etram/{train,val,test}/RECORDING/event_representations_v2/..., RECORDING/labels_v2/...
_base_ = './etram_classes.py'

data_root = '{{$ABC_ETRAM:data/etram/}}'
downsample = 'nearest'  # as RVT; 'sum' keeps all events, 'none' is the full 1280 x 720
data_help = """
To get eTraM: its recordings (*_td.h5 and *_bbox.npy in train/, val/, test/) are linked from
  github.com/eventbasedvision/eTraM
To convert them (add --downsample nearest --box-filter rvt for exactly what RVT trains on):
  python tools/dataset_converters/event_recordings.py FOLDER data/etram --dataset etram
To run without eTraM, on synthetic recordings: make demo-events, or
  python tools/dataset_converters/synthetic_events.py data/synthetic_events_raw --size 640x360
  python tools/dataset_converters/event_recordings.py data/synthetic_events_raw \\
      data/synthetic_events --dataset etram
  python tools/train.py configs/small/abc_synthetic_events.py"""

train_dataloader = dict(
    batch_size=6,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='RecordingSampler', shuffle=True),
    # half of each batch streams recordings, half are random clips
    batch_sampler=dict(type='StreamBatchSampler', random_share=0.5),
    dataset=dict(
        type='EventSequenceDataset',
        data_root=data_root,
        data_prefix=dict(recordings='train/'),
        catalogue='etram',
        metainfo=dict(classes={{_base_.classes}}),
        downsample=downsample,
        clip_length=5,
        pipeline=[
            dict(type='LoadEventClip'),
            dict(type='RandomFlipClip', prob=0.5),
            dict(type='RandomZoomClip'),
            dict(type='PackClipInputs'),
        ]))
val_dataloader = dict(
    batch_size=8,  # recordings side by side; results do not depend on it
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='RecordingSampler', shuffle=False, infinite=False),
    batch_sampler=dict(type='StreamBatchSampler'),
    dataset=dict(
        type='EventSequenceDataset',
        data_root=data_root,
        data_prefix=dict(recordings='val/'),
        catalogue='etram',
        metainfo=dict(classes={{_base_.classes}}),
        downsample=downsample,
        clip_length=5,
        test_mode=True,
        pipeline=[dict(type='LoadEventClip'), dict(type='PackClipInputs')]))
test_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='RecordingSampler', shuffle=False, infinite=False),
    batch_sampler=dict(type='StreamBatchSampler'),
    dataset=dict(
        type='EventSequenceDataset',
        data_root=data_root,
        data_prefix=dict(recordings='test/'),
        catalogue='etram',
        metainfo=dict(classes={{_base_.classes}}),
        downsample=downsample,
        clip_length=5,
        test_mode=True,
        pipeline=[dict(type='LoadEventClip'), dict(type='PackClipInputs')]))

# Ground truth is collected from the data set. Both protocols, as papers quote either.
val_evaluator = dict(
    type='SmallObjectMetric',
    small_classes={{_base_.small_classes}},
    protocol=('coco', 'prophesee'))
test_evaluator = val_evaluator
