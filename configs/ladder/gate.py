# Where the two tasks disagree on the features of an image, the auxiliary one is not heard.
_base_ = './train_only_p1.py'

rung = dict(order=75, title='the auxiliary gradient only where it agrees')
model = dict(bbox_head=dict(arbiter=dict(mode='gate')))
