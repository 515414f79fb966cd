# Where does the auxiliary task help: on the finest level alone?
_base_ = './train_only_p1.py'

rung = dict(order=200, title='auxiliary task on P1 alone')
model = dict(bbox_head=dict(aux_head=dict(strides=(4,))))
