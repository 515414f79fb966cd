"""Detectors as ONNX: written, checked against PyTorch, and run."""

from .export import Exported, export_onnx, write_onnx
from .onnx_detector import OnnxDetector

__all__ = ['Exported', 'OnnxDetector', 'export_onnx', 'write_onnx']
