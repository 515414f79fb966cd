from .event_data_preprocessor import EventDataPreprocessor
from .event_images import EventFrame, PolaritySurface

__all__ = ['EventDataPreprocessor', 'EventFrame', 'PolaritySurface']
