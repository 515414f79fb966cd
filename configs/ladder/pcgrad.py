# Each of the tasks loses what is opposed to the other (Yu et al., 2020).
_base_ = './train_only_p1.py'

rung = dict(order=85, title='PCGrad on the features')
model = dict(bbox_head=dict(arbiter=dict(mode='pcgrad')))
