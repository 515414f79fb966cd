# ABC on frames with a train-only finest level: at test time it is the 3-level baseline.
_base_ = './abc_100k.py'

model = dict(
    neck=dict(num_aux_levels=1), bbox_head=dict(main_head=dict(strides=(8, 16, 32))))
