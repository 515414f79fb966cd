from .event_data_preprocessor import EventDataPreprocessor

__all__ = ['EventDataPreprocessor']
