# The published experiment at the full resolution of the sensor.
_base_ = './abc_sod_basic_100k.py'

train_dataloader = dict(dataset=dict(downsample='none'))
val_dataloader = dict(dataset=dict(downsample='none'))
test_dataloader = dict(dataset=dict(downsample='none'))
