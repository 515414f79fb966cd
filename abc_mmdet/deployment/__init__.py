"""Detectors as ONNX: written, checked against PyTorch, and run."""

from .engines import ENGINES
from .export import Exported, export_onnx, write_onnx
from .onnx_detector import OnnxDetector

__all__ = ['ENGINES', 'Exported', 'OnnxDetector', 'export_onnx', 'write_onnx']
