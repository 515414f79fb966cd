# The main task goes first: what the auxiliary one does against it is projected away.
_base_ = './train_only_p1.py'

rung = dict(order=80, title='the opposed part of the auxiliary gradient taken out')
model = dict(bbox_head=dict(arbiter=dict(mode='main_first')))
