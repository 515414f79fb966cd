from abc_mmdet.engine.training_log import Curve, training_curves

from .evaluated import Evaluated, evaluate, read_detections
from .page import read_threshold, render, write_page
from .test_set import TestSet, load_test_set

__all__ = [
    'Curve',
    'Evaluated',
    'TestSet',
    'evaluate',
    'load_test_set',
    'read_detections',
    'read_threshold',
    'render',
    'training_curves',
    'write_page',
]
