"""One way of drawing for all tools."""

from __future__ import annotations

from mmengine.config import Config

from abc_mmdet.apis.config_parts import type_name

THEIRS, OURS = 'DetLocalVisualizer', 'DetectionVisualizer'
THEIR_HOOK, OUR_HOOK = 'DetVisualizationHook', 'ImageVisualizationHook'


def use_own_drawing(config: Config) -> None:
    """Let the runner draw boxes, and name pictures, as ``tools/infer.py`` does, in place.

    Not in ``configs/_base_/default_runtime.py``: studies know their finished runs by the content of
    a config, and drawing changes no result. Another visualizer or hook than MMDetection's own
    stays.
    """
    options = config.get('visualizer')
    if isinstance(options, dict) and type_name(options) == THEIRS:
        options['type'] = OURS
    hook = (config.get('default_hooks') or {}).get('visualization')
    if isinstance(hook, dict) and type_name(hook) == THEIR_HOOK:
        hook['type'] = OUR_HOOK
