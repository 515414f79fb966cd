# The stem and the first two stages stay as COCO left them, their batch norms' statistics too.
_base_ = './baseline.py'

variant = dict(order=32, title='first two stages frozen')
model = dict(backbone=dict(frozen_stages=2, norm_eval=False))
