# The recipe for views from above, and normalised Wasserstein distance in the loss of small boxes.
_base_ = './best_above.py'

variant = dict(
    order=100,
    title='backbone x 0.1, mean of the weights of the second half, flips in three directions, NWD')
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
