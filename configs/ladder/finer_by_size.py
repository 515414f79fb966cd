# And the auxiliary task on all boxes up to 32 x 32, so that no class is background to it.
_base_ = './finer_sized.py'

rung = dict(order=178, title='finer levels, sized assigner, auxiliary task on boxes up to 32 x 32')
model = dict(bbox_head=dict(small_classes='all', max_area=32**2))
