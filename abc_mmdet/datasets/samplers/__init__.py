from .small_object_sampler import SmallObjectSampler

__all__ = ['SmallObjectSampler']
