from .small_object_metric import SmallObjectMetric

__all__ = ['SmallObjectMetric']
