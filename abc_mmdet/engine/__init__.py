from abc_mmdet.engine.hooks.atomic_checkpoint_hook import AtomicCheckpointHook, AtomicFileBackend
from abc_mmdet.engine.hooks.checkpoint_fit_hook import CheckpointFitHook
from abc_mmdet.engine.hooks.class_names_hook import ClassNamesHook
from abc_mmdet.engine.hooks.event_visualization_hook import EventVisualizationHook
from abc_mmdet.engine.hooks.exact_resume_hook import ExactResumeHook
from abc_mmdet.engine.hooks.finite_loss_hook import FiniteLossHook
from abc_mmdet.engine.hooks.image_visualization_hook import ImageVisualizationHook
from abc_mmdet.engine.hooks.iter_mode_switch_hook import IterModeSwitchHook
from abc_mmdet.engine.hooks.kept_boxes_hook import KeptBoxesHook
from abc_mmdet.engine.hooks.mean_loss_hook import MeanLossHook
from abc_mmdet.engine.hooks.multi_task_weight_hook import MultiTaskWeightHook
from abc_mmdet.engine.hooks.nwd_constant_hook import NWDConstantHook
from abc_mmdet.engine.hooks.pretrained_weights_hook import PretrainedWeightsHook
from abc_mmdet.engine.hooks.resumed_schedule_hook import ResumedScheduleHook

from .amp_on_gpu import AmpOnGpuOptimWrapper
from .checkpoint_files import choose_checkpoint, newest_checkpoint
from .lr_scaling import scale_schedules
from .monitored_metrics import name_monitors

__all__ = [
    'AmpOnGpuOptimWrapper',
    'AtomicCheckpointHook',
    'AtomicFileBackend',
    'CheckpointFitHook',
    'ClassNamesHook',
    'EventVisualizationHook',
    'ExactResumeHook',
    'FiniteLossHook',
    'ImageVisualizationHook',
    'IterModeSwitchHook',
    'KeptBoxesHook',
    'MeanLossHook',
    'MultiTaskWeightHook',
    'NWDConstantHook',
    'PretrainedWeightsHook',
    'ResumedScheduleHook',
    'choose_checkpoint',
    'name_monitors',
    'newest_checkpoint',
    'scale_schedules',
]
