# The statistics of the batch norms of the backbone stay those of COCO.
_base_ = './lr_split.py'

variant = dict(order=35, title='learning rate of the backbone x 0.1, its statistics fixed')
model = dict(backbone=dict(norm_eval=True))
