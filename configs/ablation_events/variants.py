# What each variant changes of baseline.py, and why; the form is that of ablation_coco/variants.py.
# All run as long as `maxvit_rnn` takes for its iterations (run_length), on a core of a CPU.
_base_ = './baseline.py'

variants = dict(
    baseline=dict(
        order=0, title='YOLOX-Nano from COCO, no memory',
        reason='What the others are compared with.'),
    adapter=dict(
        order=1, title='YOLOX-Nano from COCO, adapter', run_length=0.6,
        reason='What stands sends no events; a memory between neck and head keeps it.',
        model=dict(
            adapter=dict(
                _delete_=True, type='ConvLSTMAdapter', in_channels=[64, 64, 64],
                forget_bias=2.0))),  # a memory that lasts from the first step on
    adapter_from_scratch=dict(
        order=2, title='the same from scratch', combines=('adapter',),
        reason='What the weights from images are worth.',
        load_from=None),
    adapter_finest=dict(
        order=3, title='adapter on stride 8 alone', combines=('adapter',),
        reason='In EvRT-DETR the finest level gains most.',
        model=dict(adapter=dict(levels=[0]))),
    adapter_long=dict(
        order=3.5, title='adapter, long memory, clips of 10 steps', combines=('adapter',),
        reason='What stands does so for 20 steps in the mean; forget gates at 0.88 and clips of 5 '
        'steps, most of them without what was before, do not teach to keep it.',
        model=dict(adapter=dict(memory_steps=40)),
        train_dataloader=dict(
            batch_size=2, batch_sampler=dict(random_share=0.0), dataset=dict(clip_length=10))),
    adapter_frozen=dict(
        order=3.6, title='detector frozen, adapter with long memory, clips of 10 steps',
        combines=('adapter_long',), run_length=1.0,
        reason='As in EvRT-DETR: first a detector (the baseline of the same seed, '
        'ABC_EVENT_DETECTOR), then its memory alone. Twice the training time in all.',
        load_from='{{$ABC_EVENT_DETECTOR:event_detector.pth}}',
        model=dict(frozen=('backbone', 'neck', 'bbox_head'))),
    adapter_abc=dict(
        order=4, title='adapter, auxiliary task', combines=('adapter',),
        run_length=0.57,
        reason='ABC on top: a head for small classes in training only.',
        model=dict(
            bbox_head=dict(
                _delete_=True,
                type='ABCHead',
                classes=_base_.classes,
                small_classes=_base_.small_classes,
                main_head=_base_.model.bbox_head,
                aux_head=dict(
                    type='AuxSmallObjectHead', in_channels=64, feat_channels=64, strides=(8,),
                    use_depthwise=True),
                multi_task_loss=dict(type='ABCMultiTaskLoss', aux_weight=0.25)))),
    adapter_rates=dict(
        order=5, title='adapter, clips of 25, 50 and 100 ms', combines=('adapter',),
        run_length=0.45,
        reason='Trained at several rates, it should lose less at those of others.',
        train_pipeline=dict(
            RandomRateClip=dict(_after_='LoadEventClip', factors=(0.5, 1, 2)))),
    maxvit_rnn=dict(
        order=10, title="RVT's network from scratch",
        run_length=0.52,
        reason='What event cameras have used: MaxViT and ConvLSTM, here as wide as to cost as much '
        'at inference as YOLOX-Nano with the adapter, or a little more.',
        load_from=None,
        model=dict(
            data_preprocessor=dict(_delete_=True, type='EventDataPreprocessor'),
            backbone=dict(
                _delete_=True, type='MaxViTRNN', arch=dict(embed_dim=16, dim_head=16),
                in_channels=20, out_indices=(1, 2, 3), partition_split=1, mlp_ratio=2,
                # there from the first step on: blocks that count, and a memory that lasts
                layer_scale_init=1.0, lstm_forget_bias=2.0),
            neck=dict(in_channels=[32, 64, 128]))),
)
