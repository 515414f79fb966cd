"""Registers everything of this package with MMDetection; importing it is all it takes."""

from .interrupted_import import interruption_in_a_word

with interruption_in_a_word():
    from .import_messages import no_debug_prints
    from .mmcv_ops import install

    install()  # before anything that imports mmdet.models

    with no_debug_prints():
        from . import datasets, engine, evaluation, models  # noqa: F401
