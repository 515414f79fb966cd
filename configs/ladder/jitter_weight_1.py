# A heavier auxiliary task where there is more to learn from.
_base_ = './scale_jitter.py'

rung = dict(order=132, title='+ sizes from 0.5 to 1.5, auxiliary weight 1')
model = dict(bbox_head=dict(multi_task_loss=dict(aux_weight=1.0)))
