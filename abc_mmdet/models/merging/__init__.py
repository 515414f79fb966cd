from .merge_detections import MERGES, Merged, MergeDetections

__all__ = ['MERGES', 'MergeDetections', 'Merged']
