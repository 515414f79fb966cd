# Or on the second level alone, where there is less noise?
_base_ = './train_only_p1.py'

rung = dict(order=210, title='auxiliary task on P2 alone')
model = dict(bbox_head=dict(aux_head=dict(strides=(8,))))
