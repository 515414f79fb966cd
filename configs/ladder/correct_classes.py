# ABC as it was meant.
_base_ = './_base_/abc.py'

rung = dict(order=40, title='+ correct classes')
