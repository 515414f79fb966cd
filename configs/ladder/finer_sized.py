# And the level of stride 4 left to small boxes, so that the larger classes do not pay for it.
_base_ = './finer_best.py'

rung = dict(order=174, title='auxiliary weight 0.25, a level takes boxes up to 8 of its cells')
model = dict(train_cfg=dict(assigner=dict(type='SizedSimOTAAssigner', max_cells=8)))
