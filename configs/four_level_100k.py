# The fourth level alone: ABC without its auxiliary task.
_base_ = [
    './_base_/models/maxvit_rnn_4level.py',
    './_base_/datasets/etram_events.py',
    './_base_/schedules/one_cycle_100k.py',
    './_base_/event_runtime.py',
]

model = dict(bbox_head=dict(num_classes=8))
