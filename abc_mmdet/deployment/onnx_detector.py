"""An exported detector on images, whole or slice by slice."""

from __future__ import annotations

from typing import Any

from mmengine.structures import InstanceData

from abc_mmdet.apis.options import sliced_model, unshrunk
from abc_mmdet.errors import UserError
from abc_mmdet.inference.detector import ImageDetector
from mmdet.registry import MODELS

from .engine_detector import EngineDetector
from .exported_file import ExportedFile, open_exported


class OnnxDetector(ImageDetector):
    """A file of ``tools/deployment/export_onnx.py`` as a function from images to detections.

    Neither config nor checkpoint is needed: preprocessing, class names and thresholds stand in the
    file. Used as :class:`abc_mmdet.apis.Detector`.

    Args:
        path: the file, or what :func:`open_exported` made of it, which has device and engine.
        device: ``'cpu'`` or ``'cuda'``; with OpenVINO ``'cpu'`` or ``'gpu'``.
        batch_size: images of one size that go through the network together.
        slicing: detect in overlapping slices, as in :class:`abc_mmdet.inference.Detector`, with the
            same slices and merges.
        engine: ``'onnx'`` (ONNX Runtime) or ``'openvino'``.

    Raises:
        UserError: a package is missing, the file cannot be read, was not written by that tool, or
            is of a detector of events.

    Example::

        detector = OnnxDetector('detector.onnx', slicing=dict(slice_size=(640, 640)))
        detector('large.jpg').save('drawn.jpg')
    """

    def __init__(
        self,
        path: str | ExportedFile,
        device: str = 'cpu',
        batch_size: int = 1,
        slicing: dict[str, Any] | None = None,
        engine: str = 'onnx',
    ) -> None:
        opened = open_exported(path, device, engine) if isinstance(path, str) else path
        self.recorded = opened.recorded
        if self.recorded.input != 'images':
            raise UserError(
                f'{opened.path} is a detector of events, not of images: OnnxStreamingInferencer '
                'and tools/infer.py run it on recordings.'
            )
        transforms = [
            dict(type='mmdet.LoadImageFromNDArray', to_float32=self.recorded.to_float32),
            *map(_with_tuples, self.recorded.transforms),
            dict(type='mmdet.PackDetInputs', meta_keys=('scale_factor', 'ori_shape', 'img_shape')),
        ]
        model: dict[str, Any] = dict(
            type=EngineDetector,
            run=opened.run,
            recorded=self.recorded,
            pads=slicing is not None,
        )
        if slicing is not None:
            settings = dict(slicing)
            transforms = unshrunk(transforms, settings.pop('upscale', 1.0))
            try:
                model = sliced_model(model, **settings)
            except TypeError as error:
                raise UserError(f'slicing={slicing}: {error}. See the help of sliced().') from None
        super().__init__(transforms, self.recorded.classes, batch_size)
        self.model: Any = MODELS.build(model).eval()

    def _predict(self, batch: dict[str, Any]) -> list[InstanceData]:
        return [sample.pred_instances for sample in self.model.test_step(batch)]


def _with_tuples(value: Any) -> Any:
    """What was a tuple before it was JSON; MMDetection insists on it."""
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
