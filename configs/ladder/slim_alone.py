# And without the auxiliary task.
_base_ = './slim_best.py'

rung = dict(order=163, title='4 slim levels, NWD, sizes from 0.5 to 1.5')
model = dict(bbox_head=dict(use_auxiliary=False))
