# Small boxes, which SimOTA gives one or two priors, get four.
_base_ = './baseline.py'

variant = dict(order=50, title='4 positives for boxes below 16 px')
model = dict(
    train_cfg=dict(
        assigner=dict(type='MinPositivesSimOTAAssigner', min_positives=4, max_side=16)))
