# And the level of stride 4 left to small boxes, so that the larger classes do not pay for it.
_base_ = './finer_best.py'

rung = dict(order=174, title='finer levels, sized assigner, auxiliary weight 0.25')
model = dict(train_cfg=dict(assigner=dict(type='SizedSimOTAAssigner', max_cells=8)))
