# DSEC-Detection (Gehrig and Scaramuzza, Nature 2024): driving, 640 x 480, labels at 20 Hz.
_base_ = './etram_events.py'

data_root = '{{$ABC_DSEC_DETECTION:data/dsec_detection/}}'
downsample = 'none'
classes = ('pedestrian', 'rider', 'car', 'bus', 'truck', 'bicycle', 'motorcycle', 'train')
small_classes = ('pedestrian', 'rider', 'bicycle', 'motorcycle')
data_help = """
To get DSEC-Detection (events, labels and time stamps of images): github.com/uzh-rpg/dsec-det
To convert it:
  python tools/dataset_converters/event_recordings.py FOLDER data/dsec_detection \\
      --dataset dsec-detection --downsample none"""

dataset = dict(
    data_root=data_root,
    catalogue='dsec-detection',
    metainfo=dict(_delete_=True, classes=classes),
    downsample=downsample)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)

val_evaluator = dict(small_classes=small_classes, protocol='coco')
test_evaluator = val_evaluator
