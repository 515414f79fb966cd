# The auxiliary task on all small objects, of whatever class, as the sizes vary.
_base_ = './best.py'

rung = dict(order=142, title='+ auxiliary task on all boxes up to 32 x 32')
model = dict(bbox_head=dict(small_classes='all', max_area=32**2))
