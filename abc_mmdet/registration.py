"""Registers everything of this package with MMDetection; importing it is all it takes."""

from abc_mmdet.utils.imports import interruption_in_a_word

with interruption_in_a_word():
    from abc_mmdet.utils.imports import no_debug_prints
    from abc_mmdet.utils.mmcv_ops import install

    install()  # before anything that imports mmdet.models

    with no_debug_prints():
        from . import datasets, engine, evaluation, models  # noqa: F401
