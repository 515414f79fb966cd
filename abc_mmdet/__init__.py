"""abc_mmdet: small-object detection for MMDetection.

Importing the package registers its modules in MMDetection's registries, so that any config can
use them through ``custom_imports = dict(imports=['abc_mmdet'])``.
"""

import sys

from .interrupted_import import interruption_in_a_word as _interruption_in_a_word
from .version import __version__

with _interruption_in_a_word():
    # `python -m abc_mmdet.doctor` imports this package first (Python says so by this argv), and it
    # must run on machines where the imports below fail: telling why is its job.
    if not (sys.argv[:1] == ['-m'] and 'abc_mmdet.doctor' in sys.orig_argv):
        from .import_messages import no_debug_prints as _no_debug_prints
        from .mmcv_ops import install as _provide_mmcv_ops

        _provide_mmcv_ops()  # before anything that imports mmdet.models

        with _no_debug_prints():
            from . import datasets, engine, evaluation, models  # noqa: F401

__all__ = ['__version__']
