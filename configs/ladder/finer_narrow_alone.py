# And without the auxiliary task.
_base_ = './finer_narrow.py'

rung = dict(order=176, title='finer levels, slim pyramid')
model = dict(bbox_head=dict(use_auxiliary=False))
