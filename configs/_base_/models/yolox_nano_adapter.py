# YOLOX-Nano on images of events, with a memory between neck and head (ConvLSTMAdapter). All but the
# adapter takes the COCO weights of yolox_nano_3level.py; the adapter begins without effect.
_base_ = './yolox_nano_3level.py'

model = dict(
    type='StreamingDetector',
    data_preprocessor=dict(
        _delete_=True,
        type='EventDataPreprocessor',
        image=dict(type='PolaritySurface'),  # or EventFrame, a grey image
        pad_size_divisor=32),
    adapter=dict(type='ConvLSTMAdapter', in_channels=[64, 64, 64]))
