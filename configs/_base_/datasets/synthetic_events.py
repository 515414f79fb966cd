# Recordings of the project's own traffic, seen by a simulated event camera; to make them:
#   make demo-events, or the two commands of data_help
_base_ = './etram_events.py'

data_root = '{{$ABC_SYNTHETIC_EVENTS:data/synthetic_events/}}'
small_classes = ('pedestrian', 'bicycle', 'motorbike', 'wheelchair')
data_help = """Simulate and convert them:
  python tools/dataset_converters/synthetic_events.py data/synthetic_events_raw --size 640x360
  python tools/dataset_converters/event_recordings.py data/synthetic_events_raw \\
      data/synthetic_events --dataset etram"""

train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    # short recordings of few streets: random clips vary more than what follows in a stream
    batch_sampler=dict(random_share=0.75),
    dataset=dict(
        data_root=data_root,
        downsample='sum',
        pipeline=[
            dict(type='LoadEventClip'),
            dict(type='RandomFlipClip', prob=0.5),
            dict(type='PackClipInputs'),
        ]))
val_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(data_root=data_root, downsample='sum'))
test_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(
        data_root=data_root, downsample='sum', data_prefix=dict(recordings='val/')))

val_evaluator = dict(small_classes=small_classes, protocol='coco', subsets=('still',))
test_evaluator = val_evaluator
