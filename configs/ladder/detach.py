# The auxiliary head trains itself and nothing else: the control, which should equal the baseline.
_base_ = './train_only_p1.py'

rung = dict(order=65, title='auxiliary features detached')
model = dict(bbox_head=dict(arbiter=dict(mode='detach')))
