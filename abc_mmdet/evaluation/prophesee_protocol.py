"""The evaluation protocol of Prophesee's data sets (Perot et al., 2020), as RVT uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from abc_mmdet.errors import UserError


@dataclass(frozen=True)
class PropheseeProtocol:
    """Leaves out small boxes, of ground truth and detections, early frames, and empty ones.

    A frame in which no box of the ground truth is left is not evaluated: what is detected there is
    no mistake. So do Prophesee's toolkit and RVT, which look at the times of the boxes left.

    Args:
        min_side: least side, pixels; None: 20, or 10 in frames of up to 640 pixels' width (Gen1,
            half resolution).
        min_diagonal: least diagonal, pixels; None: 60 or 30.
        skip_us: frames up to this time of a recording are left out.
    """

    min_side: float | None = None
    min_diagonal: float | None = None
    skip_us: int = 500_000

    def ground_truth(
        self, images: Sequence[dict], annotations: Sequence[dict], category_ids: Sequence[int | str]
    ) -> tuple[list[dict], list[dict]]:
        """The images that count, and the annotations in them that do.

        Args:
            images: COCO records with ``timestamp_us``.
            annotations: of these.
            category_ids: of the classes that are evaluated. Boxes of others, and crowds, leave no
                frame to evaluate.

        Raises:
            UserError: an image without ``timestamp_us``.
        """
        late = self._late(images)
        boxes = self.boxes(annotations, late)
        wanted = set(category_ids)
        counted = {
            box['image_id']
            for box in boxes
            if box['category_id'] in wanted and not box.get('iscrowd')
        }
        left = [image for image in late if image['id'] in counted]
        return left, [box for box in boxes if box['image_id'] in counted]

    def _late(self, images: Sequence[dict]) -> list[dict]:
        untimed = [image['id'] for image in images if image.get('timestamp_us') is None]
        if untimed:
            raise UserError(
                f"SmallObjectMetric protocol='prophesee' leaves out the first "
                f'{self.skip_us / 1e6} s of each recording, but image {untimed[0]} has no '
                "timestamp_us. Use protocol='coco' for data that is no recording."
            )
        return [image for image in images if image['timestamp_us'] > self.skip_us]

    def boxes(self, boxes: Sequence[dict], images: Sequence[dict]) -> list[dict]:
        """Annotations or detections in these images that are large enough."""
        width = {image['id']: image['width'] for image in images}
        kept = []
        for box in boxes:
            if box['image_id'] not in width:
                continue
            large = width[box['image_id']] > 640
            side = self.min_side if self.min_side is not None else (20 if large else 10)
            diagonal = self.min_diagonal
            diagonal = diagonal if diagonal is not None else (60 if large else 30)
            w, h = box['bbox'][2:]
            if min(w, h) >= side and w**2 + h**2 >= diagonal**2:
                kept.append(box)
        return kept
