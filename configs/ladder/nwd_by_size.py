# The auxiliary task on all small objects, of whatever class, as the sizes vary.
_base_ = './jitter_nwd.py'

rung = dict(order=138, title='+ sizes from 0.5 to 1.5, NWD, auxiliary task by size')
model = dict(bbox_head=dict(small_classes='all', max_area=32**2))
