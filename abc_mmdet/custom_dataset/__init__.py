"""A user's own data: checked, measured, and made into an experiment."""

from abc_mmdet.datasets.annotations import CocoFile, Issue, issue_lines, read_whole

from .advice import advise
from .check_report import as_dict, as_text, size_plot
from .dataset_check import DatasetCheck, check_dataset
from .networks import NETWORKS
from .new_experiment import NewExperiment, write_experiment
from .recipe import Recipe, choose
from .training_annotations import check_annotation_files

__all__ = [
    'NETWORKS',
    'CocoFile',
    'DatasetCheck',
    'Issue',
    'NewExperiment',
    'Recipe',
    'advise',
    'as_dict',
    'as_text',
    'check_annotation_files',
    'check_dataset',
    'choose',
    'issue_lines',
    'read_whole',
    'size_plot',
    'write_experiment',
]
