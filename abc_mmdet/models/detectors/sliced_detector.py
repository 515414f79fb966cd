"""Detection of small objects in large images: slice by slice, in the network's own resolution."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from torch import Tensor, nn

from abc_mmdet.errors import UserError
from abc_mmdet.models.merging import MergeDetections
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample

from .slices import View, seen_whole, slice_grid

INNER = 'detector.'  # what the names of the wrapped detector's parameters begin with
FULL_IMAGE = (True, False, 'native')


@MODELS.register_module()
class SlicedDetector(BaseDetector):
    """Lets a detector look at images in overlapping slices and merges what it finds.

    A network that was trained on crops, or at the resolution of the image files, sees small objects
    of a large image only where the image is not shrunk to its input size. Here the image stays as
    the test pipeline made it, and the detector gets slices of it, of all images of a batch
    together (the idea is SAHI's; Akyon et al., 2022). Results are those of a whole image in any
    test loop, metric or visualization.

    Training is the wrapped detector's, on whatever the training pipeline gives it. Checkpoints are
    the wrapped detector's as well: its own load here, and those saved here load there.

    In a config the detector is named, and its own fields stay where they are, beside those of the
    slicing. So the tools of MMDetection that look for ``model.backbone`` (``init_detector`` is
    one) find it, and a config with a ``_base_`` only adds to it.

    Example::

        _base_ = './my_detector.py'
        model = dict(type='SlicedDetector', detector='YOLOX', slice_size=(640, 640))

    Args:
        detector: any detector that has boxes alone; its ``test_cfg`` holds for each slice. The
            name of its type, with its arguments in ``options``, or a dict with all of them.
        slice_size: width and height, in pixels after the test pipeline.
        overlap: share of a slice's side that its neighbours see as well. Objects up to that size
            are whole in at least one slice.
        batch_size: how many slices go through the network at a time.
        full_image: look at the whole image too, for objects that are larger than the overlap:
            shrunk to the size of a slice (True) or as it is (``'native'``). Images of one slice
            are not looked at twice.
        best_views: believe no view about a box that another one sees better: leave out detections
            that reach an inner border of their slice, and those in the shrunk image, where a slice
            sees all of the box.
        border_margin: how near to a border a box reaches it, in pixels of the network's input.
        merge: see :class:`~abc_mmdet.models.merging.MergeDetections`. Detections of an image of
            one slice are not merged but left as the detector gives them.
        init_cfg: as in ``BaseDetector``.
        **options: arguments of the detector, where ``detector`` is a name.

    Raises:
        UserError: an option out of range, or of the detector where ``detector`` is a dict.
    """

    def __init__(
        self,
        detector: dict | str,
        slice_size: tuple[int, int],
        overlap: float = 0.2,
        batch_size: int = 8,
        full_image: bool | str = True,
        best_views: bool = True,
        border_margin: float = 2.0,
        merge: dict | None = None,
        init_cfg: dict | None = None,
        **options: Any,
    ) -> None:
        for field, value, is_good, remedy in (
            ('slice_size', slice_size, _is_size(slice_size), 'width and height in pixels'),
            ('overlap', overlap, 0 <= overlap < 1, 'a share of the slice, 0 to below 1'),
            ('batch_size', batch_size, batch_size >= 1, '1 or more slices'),
            ('full_image', full_image, full_image in FULL_IMAGE, f'one of {FULL_IMAGE}'),
            ('border_margin', border_margin, border_margin >= 0, '0 or more pixels'),
        ):
            if not is_good:
                raise UserError(f'SlicedDetector {field}={value!r}: give {remedy}.')
        built = MODELS.build(_whole(detector, options))
        super().__init__(data_preprocessor=built.data_preprocessor, init_cfg=init_cfg)
        self.detector: BaseDetector = built
        self.slice_size = int(slice_size[0]), int(slice_size[1])
        self.overlap = overlap
        self.batch_size = batch_size
        self.full_image = full_image
        self.best_views = best_views
        self.border_margin = border_margin
        self.merge = MergeDetections(**(merge or {}))
        self._has_said_its_views = False
        self._register_state_dict_hook(_without_inner_prefix)

    def __getattr__(self, name: str) -> Any:
        """What hooks and tools ask of a detector is answered by the wrapped one."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith('_') or name == 'detector':
                raise
            return getattr(self.detector, name)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        for name in [n for n in state_dict if n.startswith(prefix)]:
            own = name.removeprefix(prefix)
            if not own.startswith(INNER):
                state_dict[prefix + INNER + own] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]) -> dict:
        """Losses of the wrapped detector on the images as they are."""
        return self.detector.loss(batch_inputs, batch_data_samples)

    def extract_feat(self, batch_inputs: Tensor) -> Any:
        """Features of the wrapped detector of the images as they are."""
        return self.detector.extract_feat(batch_inputs)

    def _forward(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample] | None = None
    ) -> Any:
        """What the network gives for all views of the images, before detections are made of it.

        Tools that count operations (MMDetection's ``get_flops``) call this, and so count what an
        image costs, not a slice. The log says once how many views that are.

        Args:
            batch_inputs: ``(B, C, H, W)``.
            batch_data_samples: as in :meth:`predict`; without them images have no padding.

        Returns:
            What the detector gives for a batch, one after the other in a tuple; of a single batch
            that alone.
        """
        shapes = [sample.img_shape for sample in batch_data_samples or ()]
        shapes = shapes or [tuple(batch_inputs.shape[-2:])] * len(batch_inputs)
        views = [view for i, shape in enumerate(shapes) for view in self.views(i, shape)]
        if not self._has_said_its_views:
            self._has_said_its_views = True
            width, height = self.slice_size
            print_log(
                f'SlicedDetector: {len(views)} views (slices of {width}x{height} and whole images) '
                f'of {len(shapes)} image(s) of {shapes[0][1]}x{shapes[0][0]} go through the '
                'network. Operations and times are those of all of them: the cost of an image, '
                'not of a slice.',
                logger='current',
            )
        given = [
            self.detector._forward(inputs, [views[k].sample((1.0, 1.0), shape) for k in chunk])
            for chunk, inputs, shape in self._batches(batch_inputs, views)
        ]
        return given[0] if len(given) == 1 else tuple(given)

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample], rescale: bool = True
    ) -> list[DetDataSample]:
        """Detections in whole images.

        Args:
            batch_inputs: ``(B, C, H, W)``, as the preprocessor gives them: images at the top left,
                padding elsewhere.
            batch_data_samples: one per image; ``img_shape`` tells its size without padding.
            rescale: boxes in pixels of the image file, not of the network's input.
        """
        views: list[View] = []
        for i, sample in enumerate(batch_data_samples):
            views += self.views(i, sample.img_shape)
        scales = [_scale_factor(s) if rescale else (1.0, 1.0) for s in batch_data_samples]
        predictions = self._look(batch_inputs, views, scales)
        results = []
        for i, scale in enumerate(scales):
            own = [k for k, view in enumerate(views) if view.image == i]
            results.append(
                predictions[own[0]]
                if len(own) == 1
                else self._merged([predictions[k] for k in own], [views[k] for k in own], scale)
            )
        return self.add_pred_to_datasample(batch_data_samples, results)

    def views(self, image: int, shape: tuple[int, int]) -> list[View]:
        """The views of an image of ``shape`` (height, width): its slices, then all of it."""
        height, width = shape[:2]
        slices = slice_grid((width, height), self.slice_size, self.overlap)
        sizes = [(x2 - x1, y2 - y1) for x1, y1, x2, y2 in slices]
        views = [View(image, *cut, self.slice_size) for cut in zip(slices, sizes, strict=True)]
        if len(slices) > 1 and self.full_image:
            size = width, height
            if self.full_image != 'native':
                ratio = min(self.slice_size[0] / width, self.slice_size[1] / height)
                size = max(round(width * ratio), 1), max(round(height * ratio), 1)
            views.append(View(image, (0, 0, width, height), size, size))
        return views

    def _look(
        self, batch_inputs: Tensor, views: list[View], scales: Sequence[tuple[float, float]]
    ) -> list[InstanceData]:
        """Detections in each view, in the frame of the image's results."""
        predictions: dict[int, InstanceData] = {}
        for chunk, inputs, shape in self._batches(batch_inputs, views):
            samples = [views[k].sample(scales[views[k].image], shape) for k in chunk]
            results = self.detector.predict(inputs, samples, rescale=True)
            for k, sample in zip(chunk, results, strict=True):
                predictions[k] = views[k].in_image(sample.pred_instances, scales[views[k].image])
        return [predictions[k] for k in range(len(views))]

    def _batches(
        self, batch_inputs: Tensor, views: list[View]
    ) -> Iterator[tuple[list[int], Tensor, tuple[int, int]]]:
        """Which views go through the network together, as what input, and its height and width."""
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for k, view in enumerate(views):
            groups[self._padded(view, batch_inputs)].append(k)
        pad = getattr(self.data_preprocessor, 'pad_value', 0)
        for shape, members in groups.items():
            for begin in range(0, len(members), self.batch_size):
                chunk = members[begin : begin + self.batch_size]
                inputs = torch.stack([views[k].cut(batch_inputs, shape, pad) for k in chunk])
                yield chunk, inputs, shape

    def _padded(self, view: View, batch_inputs: Tensor) -> tuple[int, int]:
        """Height and width of the network's input for a view.

        No larger than the batch: where slices cover their images, the network sees what it would
        see without slicing.
        """
        divisor = getattr(self.data_preprocessor, 'pad_size_divisor', 1)
        width, height = (-(-side // divisor) * divisor for side in view.room)
        return min(height, batch_inputs.shape[-2]), min(width, batch_inputs.shape[-1])

    def _merged(
        self, predictions: list[InstanceData], views: list[View], scale: tuple[float, float]
    ) -> InstanceData:
        """One list of detections from those of all views of an image."""
        instances = InstanceData.cat(predictions)
        if 'masks' in instances:
            raise UserError('SlicedDetector merges boxes; this detector also gives masks.')
        boxes = instances.bboxes
        per_pixel = boxes.new_tensor(scale)
        parts = boxes.new_tensor([view.part for view in views]) / per_pixel.repeat(2)
        own = torch.arange(len(views)).repeat_interleave(
            torch.tensor([len(p) for p in predictions])
        )
        size, margin = parts[:, 2:].amax(0), self.border_margin / per_pixel
        # The shrunk image shows everything, but nothing as well as a slice
        sharp = torch.tensor([view.scale == (1.0, 1.0) for view in views], device=boxes.device)
        whole = seen_whole(boxes, parts, size, margin) & sharp
        if self.best_views:
            best = whole.gather(1, own.to(boxes.device)[:, None])[:, 0] | ~whole.any(1)
            instances, boxes, whole = instances[best], boxes[best], whole[best]
        merged = self.merge(boxes, instances.scores, instances.labels, whole.sum(1))
        instances = instances[merged.kept]
        instances.bboxes, instances.scores = merged.boxes, merged.scores
        return instances


def _whole(detector: dict | str, options: dict[str, Any]) -> dict:
    """The detector's config in one place."""
    if not isinstance(detector, dict):
        return dict(options, type=detector)
    if options:
        raise UserError(
            f'SlicedDetector has {", ".join(options)} and detector=dict(...): fields of the '
            "detector go into that dict, or beside it with the detector's type alone, such as "
            "detector='YOLOX'."
        )
    return detector


def _is_size(value: Any) -> bool:
    is_pair = isinstance(value, (list, tuple)) and len(value) == 2
    return is_pair and all(isinstance(side, int) and side > 0 for side in value)


def _scale_factor(sample: DetDataSample) -> tuple[float, float]:
    """Pixels of the network's input per pixel of the image file, across and down."""
    factor = sample.metainfo.get('scale_factor', (1.0, 1.0))
    return float(factor[0]), float(factor[1])


def _without_inner_prefix(_: nn.Module, state_dict: dict, prefix: str, __: dict) -> None:
    """Saved under the wrapped detector's names; a hook of PyTorch and MMEngine alike."""
    inner = prefix + INNER
    for names in (state_dict, getattr(state_dict, '_metadata', {})):
        for name in [n for n in names if n.startswith(inner)]:
            names[prefix + name.removeprefix(inner)] = names.pop(name)
