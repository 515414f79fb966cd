"""An exported detector on event recordings and live streams."""

from __future__ import annotations

from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram
from abc_mmdet.errors import UserError
from abc_mmdet.inference.window_inferencer import WindowInferencer

from .engine_streaming_detector import EngineStreamingDetector
from .exported_file import ExportedFile, open_exported


class OnnxStreamingInferencer(WindowInferencer):
    """A file of ``tools/deployment/export_onnx.py`` as a function from events to detections.

    Neither config nor checkpoint is needed. Used as :class:`abc_mmdet.StreamingInferencer`, whose
    detections it finds, but for the last digits.

    Args:
        path: the file, or what :func:`open_exported` made of it, which has device and engine.
        device: ``'cpu'`` or ``'cuda'``; with OpenVINO ``'cpu'`` or ``'gpu'``.
        count_cutoff: of the representation, as the recordings were converted.
        engine: ``'onnx'`` (ONNX Runtime) or ``'openvino'``.

    Raises:
        UserError: a package is missing, the file cannot be read, was not written by that tool, or
            is of a detector of images; a recording of another sensor than it was exported for.

    Examples:
        >>> inferencer = OnnxStreamingInferencer('detector.onnx')  # doctest: +SKIP
        >>> for detections in inferencer('recording.raw'):  # doctest: +SKIP
        ...     print(detections.time_us, detections.names, detections.boxes)
    """

    def __init__(
        self,
        path: str | ExportedFile,
        device: str = 'cpu',
        count_cutoff: int = 10,
        engine: str = 'onnx',
    ) -> None:
        opened = open_exported(path, device, engine) if isinstance(path, str) else path
        self.path, self.recorded = opened.path, opened.recorded
        if self.recorded.input != 'events':
            raise UserError(
                f'{self.path} is a detector of images, not of events: OnnxDetector runs it.'
            )
        if self.recorded.histogram is None:
            raise UserError(
                f'{self.path} does not say of which representation of events it is: export it '
                'again, with this version of tools/deployment/export_onnx.py and a config whose '
                'test data are event recordings.'
            )
        try:
            histogram = StackedHistogram(**self.recorded.histogram, count_cutoff=count_cutoff)
        except (TypeError, ValueError) as error:
            raise UserError(f'{self.path}: histogram, count_cutoff: {error}') from None
        self.model: EngineStreamingDetector
        super().__init__(
            EngineStreamingDetector(opened.run, self.recorded).eval(),
            self.recorded.classes,
            histogram,
            [dict(type='LoadEventClip'), dict(type='PackClipInputs')],
        )

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuse a sensor whose windows are of another size than the graph is fixed to.

        Raises:
            UserError: it is.
        """
        _, height, width = self.histogram.shape(size)
        padded, fixed = self.model.padded((width, height)), self.recorded.size
        if fixed is not None and padded != tuple(fixed):
            raise UserError(
                f'{self.path} was exported for windows of {fixed[0]}x{fixed[1]} pixels, and those '
                f'of a sensor of {size[0]}x{size[1]} have {padded[0]}x{padded[1]}: export it again '
                f'with --size {padded[0]}x{padded[1]}.'
            )
