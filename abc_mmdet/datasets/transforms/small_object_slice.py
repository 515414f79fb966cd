"""Training on slices of large images that have small objects more often than by chance."""

from collections.abc import Sequence

import numpy as np

from abc_mmdet.errors import UserError
from abc_mmdet.models.small_classes import SmallObjects
from mmdet.datasets.transforms import RandomCrop
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import autocast_box_type

PER_OBJECT = ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags', 'gt_masks', 'gt_instances_ids')


@TRANSFORMS.register_module()
class SmallObjectSlice(RandomCrop):
    """Cuts a slice out of the image; with ``small_prob`` one that a small object is in.

    A detector that is tested on slices (:class:`SlicedDetector`) is best trained on slices of the
    same size. Most slices of a large image show nothing, so some are placed around a small object,
    drawn at random: all of it is inside, at a random place. The others may be anywhere. A side of
    the image that is shorter than the slice's is not cut; put ``Pad`` behind.

    Args:
        size: width and height of the slice, pixels.
        small_prob: how often the slice is placed around a small object, where there is one.
        small_classes: names of the classes that are small, or ``'all'``; empty: ``max_area``
            decides.
        max_area: area up to which objects are small, in pixels² of the image at this step of the
            pipeline; ``None`` for no limit.
        classes: names of all classes, in the order of the data set; needed with names of small
            ones. :class:`ClassNamesHook` compares them with the data set's.
        min_visible: boxes are clipped to the slice, and objects of which less than this share is
            left are dropped. Of ignored regions everything is kept that is left of them.

    Raises:
        UserError: an option out of range or wrong class names.

    Examples:
        >>> slices = SmallObjectSlice(size=(640, 640), small_prob=0.5)
    """

    def __init__(
        self,
        size: tuple[int, int],
        small_prob: float = 0.5,
        small_classes: Sequence[str] | str = (),
        max_area: float | None = 32.0**2,
        classes: Sequence[str] | None = None,
        min_visible: float = 0.25,
    ) -> None:
        for field, value, is_good, remedy in (
            ('size', size, len(size) == 2 and min(size) > 0, 'width and height in pixels'),
            ('small_prob', small_prob, 0 <= small_prob <= 1, 'a probability'),
            ('min_visible', min_visible, 0 <= min_visible <= 1, 'a share, 0 to 1'),
        ):
            if not is_good:
                raise UserError(f'SmallObjectSlice {field}={value}: give {remedy}.')
        super().__init__(crop_size=tuple(size), allow_negative_crop=True)
        self.small = SmallObjects(type(self).__name__, small_classes, max_area, classes)
        self.classes = self.small.classes
        self.small_prob = small_prob
        self.min_visible = min_visible
        self._offset = (0, 0)

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        """Cut ``img`` and what belongs to it: boxes, labels, ignore flags, masks."""
        boxes = results['gt_bboxes'].numpy()
        ignored = results.get('gt_ignore_flags', np.zeros(len(boxes), bool))
        image_size = np.array(results['img'].shape[1::-1])
        slice_size = np.minimum(self.crop_size, image_size)
        small = self.small.among(boxes, results['gt_bboxes_labels'], ignored)
        begin = self._begin(boxes[small], image_size, slice_size)
        stays = (visible_share(boxes, begin, slice_size) >= self.min_visible) | ignored
        for key in PER_OBJECT:
            if results.get(key) is not None:
                results[key] = results[key][stays]
        self._offset = int(begin[1]), int(begin[0])
        return super().transform(results)

    def _rand_offset(self, margin: tuple[int, int]) -> tuple[int, int]:
        """Top and left of the slice; ``RandomCrop`` asks for them."""
        return self._offset

    def _begin(
        self, small: np.ndarray, image_size: np.ndarray, slice_size: np.ndarray
    ) -> np.ndarray:
        """``(2,)`` left and top of the slice."""
        room = image_size - slice_size
        if len(small) == 0 or np.random.rand() >= self.small_prob:
            return np.random.randint(0, room + 1)
        box = small[np.random.randint(len(small))]
        # From where its far side is just inside to where its near side is
        first, last = np.ceil(box[2:] - slice_size), np.floor(box[:2])
        middle = np.floor((first + last) / 2)
        fits = first <= last
        first, last = np.where(fits, first, middle), np.where(fits, last, middle)
        low, high = (end.clip(0, room).astype(int) for end in (first, last))
        return np.random.randint(low, high + 1)


def visible_share(boxes: np.ndarray, begin: np.ndarray, size: np.ndarray) -> np.ndarray:
    """``(N,)`` share of the area of ``(N, 4)`` boxes that is inside a slice; 0 of empty ones."""
    low, high = np.maximum(boxes[:, :2], begin), np.minimum(boxes[:, 2:], begin + size)
    inside = (high - low).clip(min=0).prod(1)
    whole = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return np.divide(inside, whole, out=np.zeros(len(boxes)), where=whole > 0)
