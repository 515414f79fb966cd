# And the level of stride 4 left to small boxes, so that the larger classes do not pay for it.
_base_ = './finer_alone.py'

rung = dict(order=175, title='finer levels, sized assigner: the recipe')
model = dict(train_cfg=dict(assigner=dict(type='SizedSimOTAAssigner', max_cells=8)))
