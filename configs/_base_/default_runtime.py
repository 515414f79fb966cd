default_scope = 'mmdet'
custom_imports = dict(imports=['abc_mmdet'], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='AtomicCheckpointHook', by_epoch=False, interval=5000, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='DetVisualizationHook'),
    exact_resume=dict(type='ExactResumeHook'),
    # Among the default hooks, so that a config with custom_hooks of its own keeps them.
    class_names=dict(type='ClassNamesHook'),
    nwd_constant=dict(type='NWDConstantHook'))

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))
randomness = dict(seed=0)

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='DetLocalVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(
    type='LogProcessor',
    window_size=50,
    by_epoch=False,
    # averaged over the window; conflict/*: how the gradients of ABC's two tasks get on
    mean_pattern=r'.*(loss|time|data_time|grad_norm|conflict).*')
log_level = 'INFO'
load_from = None
resume = False
