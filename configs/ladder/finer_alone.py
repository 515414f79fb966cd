# The same without the auxiliary task: what do the finer levels bring by themselves?
_base_ = './finer_best.py'

rung = dict(order=171, title='finer levels (4, 8, 16), NWD, sizes from 0.5 to 1.5')
model = dict(bbox_head=dict(use_auxiliary=False))
