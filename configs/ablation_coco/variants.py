# The variants of the ablation: what each changes of baseline.py, and why that should help.
#
#   python tools/analysis_tools/study.py --data hituav --variants nwd
#   ABC_ABLATION_VARIANT=nwd python tools/train.py configs/ablation_coco/variants.py
#
# An entry is NAME=dict(order=, title=, reason=), its place and name in tables and why it should
# help, and of these what it needs:
#   any field of a config, merged as with _base_      model=dict(backbone=dict(frozen_stages=2))
#   transforms, hooks, schedulers by their type, in train_pipeline, test_pipeline, custom_hooks,
#   param_scheduler:
#       train_pipeline=dict(
#           RandomFlip=dict(prob=0.1),                    sets fields; with _delete_=True all
#           RandomTranspose=dict(_after_='RandomFlip'),   inserts; or _before_
#           PhotoMetricDistortion=None)                   leaves out
#   combines=('lr_split', 'flips')    all changes of these entries, its own on top
#   input_scale=1.25                  all sizes of images in the pipelines, at the end
#   run_length=0.5                    iterations and whatever depends on them, at the end
# Numbers that depend on size and data set are the baseline's: _base_.max_iters, _base_.size.crop.
_base_ = './baseline.py'

variants = dict(
    baseline=dict(order=0, title='baseline', reason='What the others are compared with.'),
    baseline_half=dict(
        order=1, title='baseline, half as long', reason='Has its curve become flat?',
        run_length=0.5),
    baseline_double=dict(
        order=2, title='baseline, twice as long',
        reason='Has its curve become flat? And equal time for what costs twice as much to train.',
        run_length=2),
    baseline_equal_time=dict(
        order=3, title='baseline, 1.3 times as long',
        reason='The training time of best_trimmed (1.29) and above_trimmed (1.20), or more.',
        run_length=1.3),
    # The yardstick: what costs more has to lie above the baseline's own resolution curve.
    input_075=dict(
        order=10, title='baseline, input x 0.75', reason='The yardstick, on smaller images.',
        input_scale=0.75),
    input_125=dict(
        order=11, title='baseline, input x 1.25', reason='The yardstick, on larger images.',
        input_scale=1.25),
    input_150=dict(
        order=12, title='baseline, input x 1.5', reason='The yardstick, on larger images.',
        input_scale=1.5),
    input_200=dict(
        order=13, title='baseline, input x 2',
        reason='The yardstick, on larger images, and the teacher of distilled variants.',
        input_scale=2),
    # Cost at inference moved from coarse levels to resolution
    two_levels_125=dict(
        order=14, title='strides 8 and 16, input x 1.25',
        reason='What stride 32 costs, spent on resolution; the neck of strides 8 and 16 gets the '
        'map of the backbone where it had that of the level above.',
        input_scale=1.25,
        model=dict(
            backbone=dict(arch_ovewrite=_base_.two_stages, out_indices=(2, 3)),
            neck=dict(in_channels=[_base_.channels, 2 * _base_.channels]),
            bbox_head=dict(strides=(8, 16)))),
    trimmed=dict(
        order=15, title='strides 8 and 16 trimmed, no colours, larger input',
        reason='What stride 32 and colours cost, spent on resolution; what remains computes what '
        'it did.',
        train_pipeline=dict(
            RandomResize=dict(scale=_base_.trimmed_scale),
            RandomCrop=dict(crop_size=_base_.trimmed_crop),
            Pad=dict(size=_base_.trimmed_crop)),
        test_pipeline=dict(Resize=dict(scale=_base_.trimmed_scale)),
        model=dict(
            data_preprocessor=dict(pad_size_divisor=16),
            backbone=dict(
                type='GrayCSPDarknet', arch_ovewrite=_base_.two_stages, out_indices=(2, 3)),
            neck=dict(type='TrimmedPAFPN', context=False),
            bbox_head=dict(strides=(8, 16)))),
    trimmed_context=dict(
        order=16, title='no level of stride 32, no colours, input x 1.06',
        reason='Stride 32 as context only: the finer levels are exactly those of the baseline.',
        train_pipeline=dict(RandomResize=dict(scale=(544, 448))),
        test_pipeline=dict(Resize=dict(scale=(544, 448))),
        model=dict(
            backbone=dict(type='GrayCSPDarknet'),
            neck=dict(type='TrimmedPAFPN'),
            bbox_head=dict(strides=(8, 16)))),
    class_rows_mean=dict(
        order=20, title='class rows from the mean',
        reason="No class takes the rows of its name: all start from the mean of COCO's.",
        default_hooks=dict(
            pretrained_weights=dict(
                type='PretrainedWeightsHook', class_map=dict.fromkeys(_base_.classes)))),
    # Learning rates
    lr_split=dict(
        order=30, title='learning rate of the backbone x 0.1',
        reason='The backbone, which has seen much more than this data, learns slower than what is '
        'new.',
        optim_wrapper=dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))),
    lr_half=dict(
        order=31, title='learning rate x 0.5', reason='Half the learning rate, for all.',
        optim_wrapper=dict(optimizer=dict(lr=0.5 * _base_.lr)),
        param_scheduler=dict(CosineAnnealingLR=dict(eta_min=0.5 * _base_.lr * 0.02))),
    frozen_stages=dict(
        order=32, title='first two stages frozen',
        reason="Stem and first stages stay as COCO left them, their batch norms' statistics too.",
        model=dict(backbone=dict(frozen_stages=2, norm_eval=False))),
    lr_double=dict(
        order=33, title='learning rate x 2', reason='Twice the learning rate, for all.',
        optim_wrapper=dict(optimizer=dict(lr=2 * _base_.lr)),
        param_scheduler=dict(CosineAnnealingLR=dict(eta_min=2 * _base_.lr * 0.02))),
    lr_layers=dict(
        order=34, title='learning rate of the backbone x 0.1, of the neck x 0.3',
        reason='The deeper a layer, the slower it learns: backbone, neck, head.',
        optim_wrapper=dict(
            paramwise_cfg=dict(
                custom_keys=dict(backbone=dict(lr_mult=0.1), neck=dict(lr_mult=0.3))))),
    norm_eval=dict(
        order=35, title='learning rate of the backbone x 0.1, its statistics fixed',
        reason='The statistics of the batch norms of the backbone stay those of COCO.',
        combines='lr_split',
        model=dict(backbone=dict(norm_eval=True))),
    # Data
    copy_paste=dict(
        order=40, title='copy-paste', reason='Small objects of the crop are copied to free places.',
        train_pipeline=dict(
            SmallObjectCopyPaste=dict(
                _before_='RandomFlip',
                small_classes=_base_.small_classes,
                classes=_base_.classes,
                num_objects=(1, 5),
                position='uniform'))),
    flips=dict(
        order=41, title='flips in three directions',
        reason='Views from above have no up or down: flips in both directions and both at once.',
        train_pipeline=dict(
            RandomFlip=dict(prob=[0.25] * 3, direction=['horizontal', 'vertical', 'diagonal']))),
    wide_jitter=dict(
        order=42, title='sizes from 0.5 to 1.5',
        reason='A wider range of sizes, down to half: small objects from large ones.',
        train_pipeline=dict(RandomResize=dict(ratio_range=(0.5, 1.5)))),
    crops_larger=dict(
        order=43, title='sizes from 1 to 1.5', reason='Objects larger than at inference.',
        train_pipeline=dict(RandomResize=dict(ratio_range=(1.0, 1.5)))),
    mosaic=dict(
        order=44, title='mosaic',
        reason='Mosaic of four crops that keep their size, but for the last part of the training.',
        train_pipeline=dict(
            Mosaic=dict(_after_='RandomFlip', img_scale=_base_.size.crop, pad_val=114.0),
            RandomAffine=dict(
                _after_='Mosaic',
                max_rotate_degree=0,  # boxes around turned boxes are loose, which small ones feel
                max_shear_degree=0,
                scaling_ratio_range=(0.9, 1.1),
                border=(-_base_.size.crop[0] // 2, -_base_.size.crop[1] // 2))),
        custom_hooks=dict(
            IterModeSwitchHook=dict(_delete_=True, num_last_iters=_base_.max_iters * 3 // 20))),
    lr_split_mosaic=dict(
        order=45, title='mosaic, learning rate of the backbone x 0.1',
        reason='Mosaic for a backbone that learns slower.',
        combines=('lr_split', 'mosaic')),
    flips_turns=dict(
        order=46, title='flips in three directions, quarter turns',
        reason='All eight views of what is seen from above.',
        combines='flips',
        train_pipeline=dict(RandomTranspose=dict(_after_='RandomFlip'))),
    invert=dict(
        order=47, title='half of the images inverted',
        reason='Half of the images as their negative: warm things dark.',
        train_pipeline=dict(Invert=dict(_before_='RandomFlip', prob=0.5))),
    # Assigner and losses
    min_positives=dict(
        order=50, title='4 positives for boxes below 16 px',
        reason='Small boxes, which SimOTA gives one or two priors, get four.',
        model=dict(
            train_cfg=dict(
                assigner=dict(
                    type='MinPositivesSimOTAAssigner', min_positives=4, max_side=16)))),
    nwd=dict(
        order=51, title='NWD in the box loss',
        reason='Half of the box loss of small boxes by normalised Wasserstein distance '
        '(Wang et al., 2022).',
        model=dict(
            bbox_head=dict(
                loss_bbox=dict(
                    type='NWDBlendLoss',
                    share=0.5,
                    max_area=24**2,
                    mode='square',
                    eps=1e-16,
                    reduction='sum',
                    loss_weight=5.0)))),
    nwd_assigner=dict(
        order=52, title='NWD in the assigner',
        reason='Normalised Wasserstein distance in place of IoU in the assigner.',
        model=dict(train_cfg=dict(assigner=dict(iou_calculator=dict(type='NWDOverlaps2D'))))),
    l1_loss=dict(
        order=53, title='L1 loss throughout',
        reason='The L1 loss of the boxes from the first iteration on, not in the last part alone.',
        custom_hooks=dict(IterModeSwitchHook=dict(num_last_iters=_base_.max_iters))),
    # Mean of weights
    swa=dict(
        order=60, title='mean of the weights of the second half, constant learning rate',
        reason='The mean lies where the loss is flat (Izmailov et al., 2018).',
        param_scheduler=dict(CosineAnnealingLR=None),
        custom_hooks=dict(
            EMAHook=dict(
                _delete_=True,
                ema_type='StochasticWeightAverage',
                begin_iter=_base_.max_iters // 2,
                update_buffers=True,
                priority=49))),
    lr_split_swa=dict(
        order=61,
        title='mean of the weights of the second half, learning rate of the backbone x 0.1',
        reason='The mean of the weights of the second half, for a backbone that learns slower.',
        combines=('lr_split', 'swa')),
    # Auxiliary tasks
    aux_p1_p2=dict(
        order=70, title='train-only P1, auxiliary task on P1 and P2',
        reason='Train-only ABC: a level of stride 4 in training only, and an auxiliary head for '
        'the small classes on strides 4 and 8, weight 0.25.',
        model=dict(
            backbone=dict(out_indices=(1, 2, 3, 4)),
            neck=dict(
                type='ABCPAFPN',
                in_channels=[_base_.channels // 2, *_base_.model.neck.in_channels],
                num_aux_levels=1),
            bbox_head=dict(
                _delete_=True,
                type='ABCHead',
                classes=_base_.classes,
                small_classes=_base_.small_classes,
                main_head=_base_.model.bbox_head,
                aux_head=dict(
                    type='AuxSmallObjectHead',
                    in_channels=_base_.channels,
                    feat_channels=_base_.channels // 2,
                    strides=(4, 8),
                    norm_cfg=_base_.norm_cfg,
                    act_cfg=_base_.act_cfg),
                arbiter=None,
                multi_task_loss=dict(type='ABCMultiTaskLoss', main_weight=1.0, aux_weight=0.25)))),
    aux_all=dict(
        order=71, title='train-only P1, auxiliary task on all classes',
        reason='The auxiliary task is about all classes, so that none is background to it.',
        combines='aux_p1_p2',
        model=dict(bbox_head=dict(small_classes='all'))),
    aux_more_positives=dict(
        order=75, title='auxiliary head with more positives, all classes, fading out',
        reason="As the auxiliary head of YOLOv7: all classes, the main head's levels, "
        'more positives, a weight that fades out. It starts as the main head does. No level of '
        'stride 4.',
        model=dict(
            bbox_head=dict(
                _delete_=True,
                type='ABCHead',
                classes=_base_.classes,
                small_classes='all',
                main_head=_base_.model.bbox_head,
                aux_head=dict(
                    type='AuxSmallObjectHead',
                    in_channels=_base_.channels,
                    feat_channels=_base_.channels,
                    num_enhance_convs=0,
                    stacked_convs=2,
                    use_depthwise=_base_.size.depthwise,
                    strides=(8, 16, 32),
                    norm_cfg=_base_.norm_cfg,
                    act_cfg=_base_.act_cfg,
                    train_cfg=dict(
                        assigner=dict(
                            type='MinPositivesSimOTAAssigner',
                            center_radius=4.0,
                            candidate_topk=20,
                            min_positives=4,
                            max_side=16))),
                arbiter=None,
                multi_task_loss=dict(type='ABCMultiTaskLoss', main_weight=1.0, aux_weight=0.25))),
        custom_hooks=dict(
            MultiTaskWeightHook=dict(
                _after_='IterModeSwitchHook',
                schedule=[
                    dict(begin=0, end=_base_.max_iters, aux_weight=0.0, curve='cosine')]))),
    # A teacher
    distilled=dict(
        order=90, title='teacher of twice the input size',
        reason='A teacher that sees more: the same network fine-tuned on images twice as large '
        '(input_200).',
        model=dict(
            type='DistilledYOLOX',
            teacher=dict(
                config='{{fileDirname}}/baseline.py', checkpoint='{{$ABC_TEACHER:teacher.pth}}'),
            cls_weight=1.0,
            box_weight=1.0)),
    distilled_lr_split=dict(
        order=91, title='teacher, learning rate of the backbone x 0.1',
        reason='The teacher, and a backbone that learns slower.',
        combines=('distilled', 'lr_split')),
    # What helped, together
    best_above=dict(
        order=95,
        title='backbone x 0.1, mean of the weights of the second half, flips in three directions',
        reason='What helped, together, for views from above of what COCO knows.',
        combines=('lr_split', 'swa', 'flips')),
    above_slow=dict(
        order=96,
        title='backbone x 0.1, mean of the weights of the second half, flips and quarter turns',
        reason='All eight views, a backbone that learns slower, and the mean of the second half.',
        combines=('best_above', 'flips_turns')),
    above=dict(
        order=97, title='mean of the weights of the second half, flips and quarter turns',
        reason='All eight views and the mean of the weights of the second half.',
        combines=('swa', 'flips_turns')),
    best_above_paste=dict(
        order=98,
        title='backbone x 0.1, mean of the weights of the second half, flips in three directions, '
        'copy-paste',
        reason='The recipe for views from above, and copies of small objects in free places.',
        combines=('best_above', 'copy_paste')),
    above_paste=dict(
        order=99,
        title='mean of the weights of the second half, flips and quarter turns, copy-paste',
        reason='All eight views, the mean of the second half, and copies of small objects.',
        combines=('above', 'copy_paste')),
    best_above_nwd=dict(
        order=100,
        title='backbone x 0.1, mean of the weights of the second half, flips in three directions, '
        'NWD',
        reason='The recipe for views from above, and NWD in the loss of small boxes.',
        combines=('best_above', 'nwd')),
    two_levels_best=dict(
        order=101,
        title='backbone x 0.1, mean of the weights of the second half, flips in three directions, '
        'copy-paste, strides 8 and 16, input x 1.25',
        reason='The recipe for views from above on two levels and a larger input.',
        combines=('best_above_paste', 'two_levels_125')),
    two_levels_above=dict(
        order=102,
        title='mean of the weights of the second half, flips and quarter turns, strides 8 and 16, '
        'input x 1.25',
        reason='All eight views on two levels and a larger input.',
        combines=('above', 'two_levels_125')),
    best_trimmed=dict(
        order=103,
        title='backbone x 0.1, mean of the weights of the second half, flips in three directions, '
        'copy-paste, strides 8 and 16 trimmed, no colours, larger input',
        reason='The recipe: for views from above, gray images, and classes that COCO knows.',
        combines=('best_above_paste', 'trimmed')),
    above_trimmed=dict(
        order=104,
        title='mean of the weights of the second half, flips and quarter turns, '
        'strides 8 and 16 trimmed, no colours, larger input',
        reason='The recipe: for views from above, gray images, and classes new to COCO.',
        combines=('above', 'trimmed')),
    best_trimmed_flops_150=dict(
        order=105,
        title='best_trimmed, input x 1.22',
        reason='The recipe where 1.5 times the FLOPs of the baseline are allowed.',
        combines=('best_trimmed',), input_scale=1.22),
    best_trimmed_flops_200=dict(
        order=106,
        title='best_trimmed, input x 1.41',
        reason='The recipe where twice the FLOPs of the baseline are allowed.',
        combines=('best_trimmed',), input_scale=1.41))

from abc_mmdet.study.variant_table import use_variant  # noqa: E402  MMEngine wants _base_ first

use_variant(globals(), '{{$ABC_ABLATION_VARIANT:baseline}}')
