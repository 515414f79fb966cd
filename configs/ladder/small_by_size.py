# Not the classes that are small, but the objects that are, of whatever class.
_base_ = './train_only_p1.py'

rung = dict(order=100, title='auxiliary task on all boxes up to 24 x 24')
model = dict(bbox_head=dict(small_classes='all', max_area=24**2))
