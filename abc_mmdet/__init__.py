"""abc_mmdet: small-object detection for MMDetection.

Importing the package registers its modules in MMDetection's registries, so that any config can
use them through ``custom_imports = dict(imports=['abc_mmdet'])``. For daily use there are
``Detector`` for images and ``StreamingInferencer`` for event recordings (``from abc_mmdet import
Detector``), and the command ``abc-mmdet`` (:mod:`abc_mmdet.cli`).
"""

import sys
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from abc_mmdet.utils.imports import interruption_in_a_word as _interruption_in_a_word

from .version import __version__

if TYPE_CHECKING:
    from .inference import Detector, StreamingInferencer


def _starts_without_torch() -> bool:
    """Whether this process is ``abc-mmdet``, ``python -m abc_mmdet`` or ``-m abc_mmdet.doctor``.

    Python imports this package on the way to them. The command has to say its version and its
    tools at once, and imports the rest with the tool; the doctor has to run on machines where the
    rest cannot be imported: telling why is its job.
    """
    if sys.argv[:1] == ['-m']:  # Python is still looking for the module it was told to run
        module = next((word for word in sys.orig_argv[1:] if word.startswith('abc_mmdet')), '')
        return module in ('abc_mmdet', 'abc_mmdet.__main__', 'abc_mmdet.doctor')
    return PurePath(*sys.argv[:1]).stem == 'abc-mmdet'


with _interruption_in_a_word():
    if not _starts_without_torch():
        from . import registration  # noqa: F401


def __getattr__(name: str) -> Any:
    if name in ('Detector', 'StreamingInferencer'):
        from . import inference, registration  # noqa: F401

        return getattr(inference, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


__all__ = ['Detector', 'StreamingInferencer', '__version__']
