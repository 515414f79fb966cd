# The fourth level alone: YOLOX on strides 4, 8, 16, 32.
_base_ = './_base_/four_level.py'

rung = dict(order=10, title='4 levels')
