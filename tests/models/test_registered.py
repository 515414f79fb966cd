"""What a config can name, Python can import from one place."""

import inspect

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry

from abc_mmdet import models
from mmdet import registry as mmdet_registry


def test_registered_modules_are_exported() -> None:
    registries = [
        value
        for module in (mmdet_registry, mmengine_registry)
        for value in vars(module).values()
        if isinstance(value, Registry)
    ]
    registered = {
        name
        for registry in registries
        for name, module in registry.module_dict.items()
        if inspect.isclass(module) and module.__module__.startswith(f'{models.__name__}.')
    }
    assert {'ABCHead', 'TrimmedPAFPN', 'SlicedDetector'} <= registered
    assert registered <= set(models.__all__)
