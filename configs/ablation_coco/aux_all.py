# The auxiliary task is about all classes, so that none is background to it.
_base_ = './aux_p1_p2.py'

variant = dict(order=71, title='train-only P1, auxiliary task on all classes')
model = dict(bbox_head=dict(small_classes='all'))
