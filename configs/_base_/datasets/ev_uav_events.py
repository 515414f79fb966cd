# EV-UAV (Chen et al., ICCV 2025): drones of 7 x 5 pixels on average, 346 x 260. Boxes are made of
# its labelled events.
_base_ = './etram_events.py'

data_root = '{{$ABC_EV_UAV:data/ev_uav/}}'
downsample = 'none'  # half of 7 x 5 pixels would be too little
classes = ('uav',)
small_classes = ('uav',)
data_help = """
To get EV-UAV (train/, val/ and test/ with *.npz): github.com/ChenYichen9527/EV-UAV
To convert it:
  python tools/dataset_converters/event_recordings.py FOLDER data/ev_uav --dataset ev-uav \\
      --downsample none"""

dataset = dict(
    data_root=data_root,
    catalogue='ev-uav',
    metainfo=dict(_delete_=True, classes=classes),
    downsample=downsample)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)

val_evaluator = dict(small_classes=small_classes, protocol='coco')
test_evaluator = val_evaluator
