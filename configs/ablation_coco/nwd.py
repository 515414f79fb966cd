# Half of the box loss of small boxes by normalised Wasserstein distance (Wang et al., 2022).
_base_ = './baseline.py'

variant = dict(order=51, title='NWD in the box loss')
model = dict(
    bbox_head=dict(
        loss_bbox=dict(
            type='NWDBlendLoss',
            share=0.5,
            max_area=24**2,
            mode='square',
            eps=1e-16,
            reduction='sum',
            loss_weight=5.0)))
