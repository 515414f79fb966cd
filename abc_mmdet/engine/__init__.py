from abc_mmdet.engine.hooks.atomic_checkpoint_hook import AtomicCheckpointHook, AtomicFileBackend
from abc_mmdet.engine.hooks.data_check_hooks import ClassNamesHook, KeptBoxesHook
from abc_mmdet.engine.hooks.exact_resume_hook import ExactResumeHook
from abc_mmdet.engine.hooks.loaded_weights_hooks import CheckpointFitHook, PretrainedWeightsHook
from abc_mmdet.engine.hooks.loss_hooks import FiniteLossHook, MeanLossHook
from abc_mmdet.engine.hooks.nwd_constant_hook import NWDConstantHook
from abc_mmdet.engine.hooks.resumed_schedule_hook import ResumedScheduleHook
from abc_mmdet.engine.hooks.training_stage_hooks import IterModeSwitchHook, MultiTaskWeightHook
from abc_mmdet.engine.hooks.visualization_hooks import (
    EventVisualizationHook,
    ImageVisualizationHook,
)

from .checkpoint_files import choose_checkpoint, newest_checkpoint
from .monitored_metrics import name_monitors
from .optimizer import AmpOnGpuOptimWrapper, scale_schedules

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
