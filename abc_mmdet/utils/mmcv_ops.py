"""Makes MMDetection importable with an mmcv that was installed without compiled ops.

``pip install`` gives an mmcv without the extension module ``mmcv._ext``; MMDetection then fails at
``import mmdet.models``. Building the extension needs a compiler and many minutes, while the
detectors of this project need one op of it: non-maximum suppression, which torchvision ships
compiled. :func:`install` therefore offers ``mmcv._ext`` from here when, and only when, the real
one is missing. This is the only module of the project that knows how mmcv was installed.
"""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch
import torchvision

MODULE = 'mmcv._ext'
REMEDY = (
    'Compiled ops are used automatically once they are there. Build them against the installed '
    'torch (needs a C++ compiler and takes up to half an hour): '
    'pip install --force-reinstall --no-deps --no-build-isolation --no-cache-dir '
    'onedl-mmcv  # or, with the upstream packages, mmcv'
)


def nms(
    boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, offset: int = 0
) -> torch.Tensor:
    """Non-maximum suppression with the signature and the results of mmcv's compiled op.

    Args:
        boxes: ``(N, 4)`` boxes, ``xyxy`` in pixels.
        scores: ``(N,)`` scores.
        iou_threshold: boxes that overlap a better one by more than this are dropped.
        offset: 0 or 1, added to the width and height of boxes (the pixel-inclusive convention).

    Returns:
        ``(K,)`` indices of the kept boxes, best score first.
    """
    if boxes.dtype not in (torch.float32, torch.float64):  # torchvision has no half kernel on CPU
        boxes = boxes.float()
    if offset:
        boxes = boxes + boxes.new_tensor([0.0, 0.0, offset, offset])
    # torchvision compares the IoU of float32 boxes with a double, mmcv with a float32: in double,
    # an IoU of exactly 0.1 in float32 is above a threshold of 0.1.
    threshold = torch.tensor(iou_threshold, dtype=boxes.dtype).item()
    return torchvision.ops.nms(boxes, scores.to(boxes.dtype), threshold)


def _not_compiled() -> str:
    """Answers which compiler built the ops, as MMDetection's environment reports ask."""
    return 'n/a (ops not compiled)'


def _unavailable(name: str) -> Callable[..., Any]:
    def op(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f'mmcv op "{name}" needs compiled code, and the mmcv installed here has none. {REMEDY}'
        )

    op.__name__ = op.__qualname__ = name
    return op


class _OpsModule(ModuleType):
    """Has every op: :func:`nms`, and for any other name a function that says why it cannot run."""

    nms = staticmethod(nms)
    get_compiler_version = staticmethod(_not_compiled)
    get_compiling_cuda_version = staticmethod(_not_compiled)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith('__'):  # __path__, __wrapped__, ...: questions of the import system
            raise AttributeError(f'module {MODULE!r} has no attribute {name!r}')
        return _unavailable(name)


class OpsFinder(MetaPathFinder, Loader):
    """Import hook that knows one module. It stands last, so an installed ``mmcv._ext`` wins.

    Examples:
        >>> OpsFinder().find_spec('mmcv._ext', None).name
        'mmcv._ext'
        >>> OpsFinder().find_spec('mmcv.ops', None) is None
        True
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(MODULE, self, origin=__file__) if fullname == MODULE else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _OpsModule(spec.name, doc=__doc__)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: the ops are attributes of the module's class."""


def _find_ops() -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(MODULE)  # imports the package mmcv, not its ops
    except ModuleNotFoundError as error:
        if error.name != 'mmcv':
            raise
        raise ModuleNotFoundError(
            'mmcv is not installed. `python -m abc_mmdet.doctor` shows the command that installs '
            'what is missing.',
            name='mmcv',
        ) from None


def install() -> bool:
    """Provide ``mmcv._ext`` if mmcv has none. Returns whether it was (or already is) provided here.

    Raises:
        ModuleNotFoundError: mmcv itself is not installed.
    """
    spec = _find_ops()
    if spec is None:
        sys.meta_path.append(OpsFinder())
        return True
    return isinstance(spec.loader, OpsFinder)


def provider() -> str:
    """Who serves mmcv's ops: ``'compiled mmcv'``, ``'torchvision (nms only)'`` or ``'none'``.

    Raises:
        ModuleNotFoundError: mmcv itself is not installed.
    """
    spec = _find_ops()
    if spec is None:
        return 'none'
    return 'torchvision (nms only)' if isinstance(spec.loader, OpsFinder) else 'compiled mmcv'
