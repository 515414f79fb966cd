# What ABC has to beat: RVT-B on eTraM at 640 x 360, strides 8, 16, 32, with the same recipe.
_base_ = [
    './_base_/models/maxvit_rnn_3level.py',
    './_base_/datasets/etram_events.py',
    './_base_/schedules/one_cycle_100k.py',
    './_base_/event_runtime.py',
]

model = dict(bbox_head=dict(num_classes=8))
