# YOLOX on strides 8, 16, 32: what every other rung is compared with.
_base_ = './_base_/three_level.py'

rung = dict(order=0, title='baseline, 3 levels')
