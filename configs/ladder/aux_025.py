# The plain sum with the usual weight of an auxiliary branch (YOLOv7): the control for all that
# decides about gradients.
_base_ = './correct_classes.py'

rung = dict(order=50, title='+ auxiliary weight 0.25')
model = dict(bbox_head=dict(multi_task_loss=dict(aux_weight=0.25)))
