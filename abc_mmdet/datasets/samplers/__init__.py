from .same_size_batch_sampler import SameSizeBatchSampler
from .small_object_sampler import SmallObjectSampler

__all__ = ['SameSizeBatchSampler', 'SmallObjectSampler']
