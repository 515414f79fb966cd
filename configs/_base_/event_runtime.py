_base_ = './default_runtime.py'

sync_bn = 'torch'  # several GPUs normalise together, as in RVT; None for several CPUs

default_hooks = dict(visualization=dict(type='EventVisualizationHook'))
