# Each of the tasks loses what is opposed to the other (Yu et al., 2020).
_base_ = './aux_025.py'

rung = dict(order=80, title='PCGrad on the features')
model = dict(bbox_head=dict(arbiter=dict(mode='pcgrad')))
