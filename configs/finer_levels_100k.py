# On top of the published experiment what won from scratch (docs/from_scratch.md): three levels as
# in the baseline, but of strides 4, 8, 16 with a slim head, which costs less at inference; a
# level takes boxes up to 8 of its cells; half of the box loss of small boxes by normalised
# Wasserstein distance. The auxiliary task gained nothing on these levels and is left out:
# bbox_head.use_auxiliary=True brings it back. For objects above 128 pixels keep the four levels
# of the published experiment. That was measured on images: on events it has not been
# measured.
_base_ = './abc_sod_basic_100k.py'

model = dict(
    backbone=dict(out_indices=(0, 1, 2)),
    neck=dict(in_channels=[64, 128, 256]),
    bbox_head=dict(
        use_auxiliary=False,
        main_head=dict(
            strides=(4, 8, 16),
            feat_channels=64,
            stacked_convs=1,
            loss_bbox=dict(iou_loss=dict(type='NWDBlendLoss', share=0.5, max_area=24**2))),
        multi_task_loss=dict(aux_weight=0.25)),
    train_cfg=dict(assigner=dict(
        type='SizedSimOTAAssigner', center_radius=2.5, max_cells=8)))
