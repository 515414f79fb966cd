"""Images mirrored at their main diagonal, for views that have no up."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from abc_mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes, autocast_box_type


@TRANSFORMS.register_module()
class RandomTranspose(BaseTransform):
    """Swaps rows and columns of some images, with their boxes.

    Together with ``RandomFlip`` in its three directions it makes all eight turned and mirrored
    views of an image. Boxes stay as tight as they were, which those of images turned by other
    angles do not: with small objects that costs more than it gives. For views from above
    (drones, microscopes, circuit boards); not where objects have a foot and a head.

    Args:
        prob: share of the images that are transposed.

    Raises:
        UserError: ``prob`` out of 0 to 1, or annotations with masks.

    Examples:
        >>> import numpy as np
        >>> from mmdet.structures.bbox import HorizontalBoxes
        >>> image = np.arange(6, dtype=np.uint8).reshape(2, 3)
        >>> boxes = HorizontalBoxes([[0.0, 0.0, 3.0, 1.0]])
        >>> results = dict(img=image, img_shape=(2, 3), gt_bboxes=boxes)
        >>> transposed = RandomTranspose(prob=1.0)(results)
        >>> transposed['img_shape'], transposed['gt_bboxes'].tensor.tolist()
        ((3, 2), [[0.0, 0.0, 1.0, 3.0]])
    """

    def __init__(self, prob: float = 0.5) -> None:
        if not 0 <= prob <= 1:
            raise UserError(f'prob of RandomTranspose is {prob}; give a share from 0 to 1.')
        self.prob = prob

    @cache_randomness
    def _chosen(self) -> bool:
        return np.random.rand() < self.prob

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        if 'gt_masks' in results:
            raise UserError(
                'RandomTranspose turns boxes, not masks. Take with_mask=True out of '
                'LoadAnnotations, or RandomTranspose out of the pipeline.'
            )
        if not self._chosen():
            return results
        image = results['img']
        results['img'] = np.ascontiguousarray(image.swapaxes(0, 1))
        results['img_shape'] = results['img'].shape[:2]
        for key in ('scale_factor', 'pad_shape'):
            if key in results:
                first, second, *rest = results[key]
                results[key] = (second, first, *rest)
        if 'gt_bboxes' in results:
            boxes = results['gt_bboxes'].tensor
            results['gt_bboxes'] = HorizontalBoxes(boxes[:, [1, 0, 3, 2]])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob})'
