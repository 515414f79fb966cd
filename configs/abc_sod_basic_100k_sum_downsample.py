# The published experiment on half resolution that keeps every event: four pixels are added up.
_base_ = './abc_sod_basic_100k.py'

train_dataloader = dict(dataset=dict(downsample='sum'))
val_dataloader = dict(dataset=dict(downsample='sum'))
test_dataloader = dict(dataset=dict(downsample='sum'))
