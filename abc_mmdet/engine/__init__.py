from .amp_on_gpu import AmpOnGpuOptimWrapper
from .checkpoint_files import choose_checkpoint, newest_checkpoint
from .checkpoint_fit_hook import CheckpointFitHook
from .class_names_hook import ClassNamesHook
from .event_visualization_hook import EventVisualizationHook
from .exact_resume_hook import ExactResumeHook
from .finite_loss_hook import FiniteLossHook
from .image_visualization_hook import ImageVisualizationHook
from .iter_mode_switch_hook import IterModeSwitchHook
from .kept_boxes_hook import KeptBoxesHook
from .lr_scaling import scale_schedules
from .mean_loss_hook import MeanLossHook
from .monitored_figures import name_monitors
from .multi_task_weight_hook import MultiTaskWeightHook
from .nwd_constant_hook import NWDConstantHook
from .pretrained_weights_hook import PretrainedWeightsHook
from .resumed_schedule_hook import ResumedScheduleHook
from .whole_checkpoint_hook import WholeCheckpointHook, WholeFileBackend

__all__ = [
    'AmpOnGpuOptimWrapper',
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
    'WholeCheckpointHook',
    'WholeFileBackend',
    'choose_checkpoint',
    'name_monitors',
    'newest_checkpoint',
    'scale_schedules',
]
