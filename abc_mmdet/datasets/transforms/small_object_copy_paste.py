"""More small objects in an image: copies of them, where nothing else is."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset

from abc_mmdet.errors import UserError
from abc_mmdet.models.small_classes import SmallObjects
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes, autocast_box_type

from .patches import ObjectPatch, filled_area, overlapping, patch_bounds, touches

POSITIONS = ('row', 'uniform')
NUM_TRIES = 100  # places that are drawn per object
SEARCH = 20  # images that are looked at for one with small objects


@TRANSFORMS.register_module()
class SmallObjectCopyPaste(BaseTransform):
    """Copies small objects into free places of the image, with boxes alone, without masks.

    Small objects are rare and cover few priors; copies give the detector more of them (Kisantal
    et al., 2019, "Augmentation for small object detection"). Unlike MMDetection's ``CopyPaste``
    it covers nothing: a copy, margin included, touches neither an object, nor an ignored region,
    nor another copy. Where there is no room, there are fewer copies.

    Only objects that stand alone are copied: nothing else in the patch, and all of it inside the
    image. Of several free places the one is taken whose pixels fit best to the margin of the
    patch, so that a pedestrian on a pavement comes to stand on something like it, and none if they
    do not fit at all: a bright rectangle on a dark road teaches to detect rectangles.

    In a plain pipeline objects come from the image itself. Inside ``MultiImageMixDataset`` they
    also come from ``num_other_images`` others. Place it after resizing, cropping, ``Mosaic``,
    ``MixUp`` and ``RandomAffine``, and before colours are changed. What those steps and ``Pad``
    have filled up holds no image: nothing is copied there, where it would be easy to tell, nor
    from there (:func:`~abc_mmdet.datasets.transforms.patches.filled_area`).

    Args:
        small_classes: names of the classes to copy, or ``'all'``; empty: ``max_area`` decides.
        max_area: area up to which objects are copied, in pixels² of the image at this step of the
            pipeline; ``None`` for no limit.
        classes: names of all classes, in the order of the data set; needed with names of small
            ones. :class:`ClassNamesHook` compares them with the data set's.
        num_objects: how many copies to try, at least and at most.
        num_other_images: how many other images to take objects from, beside this one. Inside
            ``MultiImageMixDataset`` only.
        position: ``row`` keeps an object near the height it had in its image, as perspective
            asks for in views of a street; ``uniform`` puts it anywhere (views from above).
        row_jitter: how far from its height ``row`` puts it: standard deviation, as a share of
            the image's height.
        margin: pixels around the box that are copied with it.
        feather: let the margin fade into the image.
        flip_prob: how often a copy is mirrored, left for right.
        scale_range: factors between which a copy is rescaled.
        num_places: how many free places to compare, about 0.04 ms each.
        max_misfit: by how much the margin's pixels may differ from those below, mean absolute
            difference in the image's own values (of 255, usually); ``None`` for no limit.
        prob: how often images get copies at all.
        pad_val: the colour that ``Mosaic``, ``MixUp`` and ``RandomAffine`` fill with, their
            ``pad_val`` and ``border_val``: one value, or one per channel; ``None`` for none.

    Raises:
        UserError: an option out of range, wrong class names, or annotations with masks.

    Examples:
        >>> copy_paste = SmallObjectCopyPaste(num_objects=(1, 3), position='uniform')
    """

    def __init__(
        self,
        small_classes: Sequence[str] | str = (),
        max_area: float | None = 32.0**2,
        classes: Sequence[str] | None = None,
        num_objects: tuple[int, int] = (1, 5),
        num_other_images: int = 1,
        position: str = 'row',
        row_jitter: float = 0.05,
        margin: int = 3,
        feather: bool = True,
        flip_prob: float = 0.5,
        scale_range: tuple[float, float] = (0.8, 1.25),
        num_places: int = 30,
        max_misfit: float | None = 25.0,
        prob: float = 1.0,
        pad_val: float | Sequence[float] | None = 114.0,
    ) -> None:
        for field, value, is_good, remedy in (
            ('num_objects', num_objects, 0 <= num_objects[0] <= num_objects[1], '(least, most)'),
            ('num_other_images', num_other_images, num_other_images >= 0, '0 or more'),
            ('position', position, position in POSITIONS, f'one of {POSITIONS}'),
            ('margin', margin, margin >= 0, '0 or more pixels'),
            ('scale_range', scale_range, 0 < scale_range[0] <= scale_range[1], '(least, most)'),
            (
                'pad_val',
                pad_val,
                np.asarray(pad_val).size in (1, 3),
                'a value, three of them, or None',
            ),
            ('num_places', num_places, 1 <= num_places <= NUM_TRIES, f'1 to {NUM_TRIES}'),
        ):
            if not is_good:
                raise UserError(f'SmallObjectCopyPaste {field}={value}: give {remedy}.')
        self.small = SmallObjects('SmallObjectCopyPaste', small_classes, max_area, classes)
        self.classes = self.small.classes
        self.num_objects = num_objects
        self.num_other_images = num_other_images
        self.position = position
        self.row_jitter = row_jitter
        self.margin = margin
        self.feather = feather
        self.flip_prob = flip_prob
        self.scale_range = scale_range
        self.num_places = num_places
        self.max_misfit = math.inf if max_misfit is None else max_misfit
        self.prob = prob
        self.pad_val = pad_val

    def get_indexes(self, dataset: BaseDataset) -> list[int]:
        """Other images to take objects from; ``MultiImageMixDataset`` asks before transforming.

        Images with objects of the small classes are preferred; their size is known later.
        """
        return [self._image_with_small_objects(dataset) for _ in range(self.num_other_images)]

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        """Add copies to ``img``, ``gt_bboxes``, ``gt_bboxes_labels`` and ``gt_ignore_flags``."""
        if 'gt_masks' in results:
            raise UserError(
                'SmallObjectCopyPaste knows boxes only, and these annotations have masks, which '
                "would no longer fit. Use MMDetection's CopyPaste, or LoadAnnotations without "
                'with_mask.'
            )
        if np.random.rand() >= self.prob:
            return results
        sources = [results, *results.get('mix_results', [])]
        filled = [filled_area(s['img'], self.pad_val, 'pad_fixed_size' in s) for s in sources]
        candidates = [
            (source, i)
            for source, area in zip(sources, filled, strict=True)
            for i in self._standing_alone(source, area)
        ]
        if not candidates:
            return results
        wanted = np.random.randint(self.num_objects[0], self.num_objects[1] + 1)
        image = results['img'].copy()
        occupied = results['gt_bboxes'].numpy().astype(np.float64)
        boxes, labels = [], []
        for choice in np.random.randint(len(candidates), size=wanted):
            patch = self._varied(self._cut(*candidates[choice]))
            place = self._free_place(patch, image, occupied, filled[0])
            if place is None:
                continue
            boxes.append(patch.paste(image, *place, self.feather))
            labels.append(patch.label)
            height, width = patch.pixels.shape[:2]
            bounds = [*place, place[0] + width, place[1] + height]
            occupied = np.concatenate([occupied, [bounds]])
        if boxes:
            results['img'] = image
            _add_objects(results, boxes, labels)
        return results

    def _image_with_small_objects(self, dataset: BaseDataset) -> int:
        for _ in range(SEARCH):
            index = int(np.random.randint(len(dataset)))
            instances = dataset.get_data_info(index)['instances']
            labels = self.small.labels
            if any(labels is None or i['bbox_label'] in labels for i in instances):
                break
        return index

    def _standing_alone(self, source: dict, filled: np.ndarray) -> np.ndarray:
        """Indices of the objects of an image that can be copied, with nothing filled up."""
        boxes = source['gt_bboxes'].numpy()
        labels = source['gt_bboxes_labels']
        height, width = source['img'].shape[:2]
        sides = boxes[:, 2:] - boxes[:, :2]
        bounds = patch_bounds(boxes, self.margin)
        neighbours = overlapping(bounds, boxes).sum(1)  # itself among them
        good = (neighbours == 1) & (sides.min(1, initial=np.inf) >= 1)
        good &= (bounds[:, :2] >= 0).all(1) & (bounds[:, 2:] <= [width, height]).all(1)
        ignored = source.get('gt_ignore_flags', np.zeros(len(boxes)))
        candidates = (good & self.small.among(boxes, labels, ignored)).nonzero()[0]
        return candidates[~touches(bounds[candidates], filled)]

    def _cut(self, source: dict, index: int) -> ObjectPatch:
        box = source['gt_bboxes'].numpy()[index].astype(np.float64)
        return ObjectPatch.cut(
            source['img'], box, int(source['gt_bboxes_labels'][index]), self.margin
        )

    def _varied(self, patch: ObjectPatch) -> ObjectPatch:
        if np.random.rand() < self.flip_prob:
            patch = patch.flipped()
        return patch.scaled(np.random.uniform(*self.scale_range))

    def _free_place(
        self, patch: ObjectPatch, image: np.ndarray, occupied: np.ndarray, filled: np.ndarray
    ) -> tuple[int, int] | None:
        """Left and top of the patch where it fits best of some free places; None if nowhere."""
        height, width = patch.pixels.shape[:2]
        room_y, room_x = image.shape[0] - height, image.shape[1] - width
        if room_y < 0 or room_x < 0:
            return None
        left = np.random.randint(room_x + 1, size=NUM_TRIES)
        top = np.random.randint(room_y + 1, size=NUM_TRIES)
        if self.position == 'row':
            row = np.random.normal(patch.row, self.row_jitter, NUM_TRIES) * image.shape[0]
            top = np.rint(row - (patch.box[1] + patch.box[3]) / 2).astype(int).clip(0, room_y)
        bounds = np.stack([left, top, left + width, top + height], axis=1)
        is_free = ~overlapping(bounds, occupied).any(1) & ~touches(bounds, filled)
        free = bounds[is_free][: self.num_places]
        if len(free) == 0:
            return None
        outside = patch.surroundings()
        edge = patch.pixels[outside].astype(np.float32)
        misfits = [
            np.abs(image[y1:y2, x1:x2][outside] - edge).mean() if len(edge) else 0.0
            for x1, y1, x2, y2 in free
        ]
        best = int(np.argmin(misfits))
        if misfits[best] > self.max_misfit:
            return None
        return int(free[best, 0]), int(free[best, 1])


def _add_objects(results: dict, boxes: list[np.ndarray], labels: list[int]) -> None:
    added = HorizontalBoxes(torch.from_numpy(np.stack(boxes)).float())
    results['gt_bboxes'] = HorizontalBoxes.cat([results['gt_bboxes'], added])
    old = results['gt_bboxes_labels']
    results['gt_bboxes_labels'] = np.concatenate([old, np.array(labels, old.dtype)])
    if 'gt_ignore_flags' in results:
        not_ignored = np.zeros(len(labels), bool)
        results['gt_ignore_flags'] = np.concatenate([results['gt_ignore_flags'], not_ignored])
