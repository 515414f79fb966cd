# Tiny boxes compared by normalised Wasserstein distance (Wang et al., 2022): in the auxiliary
# assigner, and as half of the box loss of small boxes.
_base_ = './train_only_p1.py'

rung = dict(order=110, title='+ NWD')
model = dict(
    bbox_head=dict(
        main_head=dict(
            loss_bbox=dict(iou_loss=dict(type='NWDBlendLoss', share=0.5, max_area=24**2))),
        aux_head=dict(
            train_cfg=dict(
                assigner=dict(
                    type='FastSimOTAAssigner', iou_calculator=dict(type='NWDOverlaps2D'))))))
