"""Detectors as ONNX: written, checked against PyTorch, and run."""

from .engines import ENGINES
from .export import Exported, export_onnx, write_onnx
from .exported_file import ExportedFile, open_exported
from .onnx_detector import OnnxDetector
from .onnx_streaming import OnnxStreamingInferencer

__all__ = [
    'ENGINES',
    'Exported',
    'ExportedFile',
    'OnnxDetector',
    'OnnxStreamingInferencer',
    'export_onnx',
    'open_exported',
    'write_onnx',
]
