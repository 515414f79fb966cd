# A gate before the finest level, to keep its noise out.
_base_ = './train_only_p1.py'

rung = dict(order=105, title='+ gated P1')
model = dict(neck=dict(gate_finest=True))
