# The usual weight of an auxiliary branch (YOLOv7) instead of 2.
_base_ = './correct_classes.py'

rung = dict(order=50, title='+ auxiliary weight 0.25')
model = dict(bbox_head=dict(multi_task_loss=dict(aux_weight=0.25)))
