# YOLOX on strides 8, 16, 32, fine-tuned from COCO: what every other variant is compared with.
_base_ = './_base_/experiment.py'

variant = dict(order=0, title='baseline')
