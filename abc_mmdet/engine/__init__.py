from .amp_on_gpu import AmpOnGpuOptimWrapper
from .class_names_hook import ClassNamesHook
from .event_visualization_hook import EventVisualizationHook
from .finite_loss_hook import FiniteLossHook
from .mean_loss_hook import MeanLossHook
from .multi_task_weight_hook import MultiTaskWeightHook
from .nwd_constant_hook import NWDConstantHook

__all__ = [
    'AmpOnGpuOptimWrapper',
    'ClassNamesHook',
    'EventVisualizationHook',
    'FiniteLossHook',
    'MeanLossHook',
    'MultiTaskWeightHook',
    'NWDConstantHook',
]
