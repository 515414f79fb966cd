# And what the best combination has: NWD, and sizes from 0.5 to 1.5.
_base_ = './finer_aux_025.py'

rung = dict(order=172, title='finer levels, auxiliary weight 0.25')
pipeline = _base_.train_dataloader.dataset.pipeline
pipeline[2].ratio_range = (0.5, 1.5)
train_dataloader = dict(dataset=dict(pipeline=pipeline))
model = dict(
    bbox_head=dict(
        main_head=dict(
            loss_bbox=dict(iou_loss=dict(type='NWDBlendLoss', share=0.5, max_area=24**2))),
        aux_head=dict(
            train_cfg=dict(
                assigner=dict(
                    type='FastSimOTAAssigner', iou_calculator=dict(type='NWDOverlaps2D'))))))
