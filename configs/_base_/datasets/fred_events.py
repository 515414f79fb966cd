# FRED (Magrini et al., ACM MM 2025): drones, 1280 x 720. There is no val split: its test split is
# used for both, until you put some recordings of train into val.
_base_ = './etram_events.py'

data_root = '{{$ABC_FRED:data/fred/}}'
downsample = 'sum'  # half resolution that keeps all events; 'none' is the full one
classes = ('drone',)
small_classes = ('drone',)
data_help = """
To get FRED (unpack the archives where they are): huggingface.co/datasets/GabrieleMagrini/FRED
To convert it:
  python tools/dataset_converters/event_recordings.py FOLDER data/fred --dataset fred"""

dataset = dict(
    data_root=data_root,
    catalogue='fred',
    metainfo=dict(_delete_=True, classes=classes),
    downsample=downsample)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dict(dataset, data_prefix=dict(recordings='test/')))
test_dataloader = dict(dataset=dataset)

val_evaluator = dict(small_classes=small_classes, protocol='coco')
test_evaluator = val_evaluator
