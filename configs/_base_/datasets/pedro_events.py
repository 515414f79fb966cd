# PEDRo (Boretti et al., CVPRW 2023): people, from a moving camera of 346 x 260 pixels. Its samples
# last 40 ms; what follows without a gap is one recording, often a short one.
_base_ = './etram_events.py'

data_root = '{{$ABC_PEDRO:data/pedro/}}'
downsample = 'none'
classes = ('person',)
small_classes = ('person',)
data_help = """
To get PEDRo (numpy/ and xml/): zenodo.org/records/13331985
To convert it:
  python tools/dataset_converters/event_recordings.py FOLDER data/pedro \\
      --dataset pedro --downsample none"""

dataset = dict(
    data_root=data_root,
    catalogue='pedro',
    representation='stacked_histogram_dt=40_nbins=10',
    metainfo=dict(_delete_=True, classes=classes),
    downsample=downsample)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)

val_evaluator = dict(small_classes=small_classes, protocol='coco')
test_evaluator = val_evaluator
