# The published ABC experiment: RVT-B on eTraM at 640 x 360, four levels, an auxiliary head for the
# small classes on P1 and P2, size-aware box loss, task weights 1.0 and 2.0, batch 6, 100,000 steps.
_base_ = [
    './_base_/models/abc_maxvit_rnn.py',
    './_base_/datasets/etram_events.py',
    './_base_/schedules/one_cycle_100k.py',
    './_base_/event_runtime.py',
]

model = dict(
    bbox_head=dict(classes={{_base_.classes}}, small_classes={{_base_.small_classes}}))
