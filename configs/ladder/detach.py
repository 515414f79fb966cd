# The auxiliary head trains itself and nothing else: what is left is the fourth level.
_base_ = './aux_025.py'

rung = dict(order=55, title='auxiliary features detached')
model = dict(bbox_head=dict(arbiter=dict(mode='detach')))
