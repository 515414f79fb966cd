"""COCO's metrics by class and size, as a metric of MMEngine that any process can take part in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest

import numpy as np
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.logging import MMLogger

from abc_mmdet.errors import UserError
from abc_mmdet.models.small_classes import SmallClasses
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS

from .average_precision import CocoMetrics
from .cut_detections import cut_found
from .presets import PRESETS
from .protocols import PROTOCOLS, Counted, PropheseeProtocol, Protocols
from .records import check_unique, image_ids, image_key, of_detections, of_file, of_samples
from .reported_metrics import check_items, counts_table, metrics_table


@METRICS.register_module()
class SmallObjectMetric(CocoMetric):
    """:class:`CocoMetric` for small objects.

    Beside ``bbox_mAP``, ``bbox_mAP_50`` and ``bbox_mAP_75``, which are those of
    :class:`CocoMetric`: AP of ``very_tiny`` boxes (below 8x8 pixels), ``tiny`` (to 16x16),
    ``small`` (to 32x32), ``medium`` (to 96x96) and ``large``; ``NAME_precision`` of every class;
    ``bbox_mAP_small_classes``, the mean AP of the classes one is after. A class without ground
    truth has AP ``nan`` and is left out of all means; a size without any has no metric.

    Ground truth comes from ``ann_file``, or without one from the samples (``instances`` in their
    meta information), and so from any data set, also from several that number their images alike.
    Only images that were evaluated count, and detections are cut at the border of their image,
    but not for the Prophesee protocol, whose toolkit takes them as they are. Areas are those of the
    annotation file, or of boxes in pixels of the original frame.

    Args:
        small_classes: names of the classes to average, or ``'all'``.
        protocol: ``coco``, ``prophesee``, or a published evaluation of a data set
            (:data:`~abc_mmdet.evaluation.presets.PRESETS`: ``visdrone``, ``aitod``, ``soda``,
            ``tinyperson``), with its own thresholds, sizes and numbers of detections. Of several,
            the first (``coco`` if it is one) has the plain keys, those of the others end in
            ``_prophesee`` and so on.
        prophesee_min_side, prophesee_min_diagonal: limits instead of the protocol's own, pixels.
        skip_us: how much of each recording the Prophesee protocol leaves out.
        subsets: evaluate again with only those boxes of the ground truth that have a true value
            under this name, such as ``still``; the others count neither way. Keys
            ``bbox_mAP_NAME`` and ``bbox_mAP_50_NAME``.
        **kwargs: as in :class:`CocoMetric`; ``classwise=False`` leaves out ``NAME_precision``,
            ``metric_items`` says which of the ``bbox_*`` metrics are wanted (``mAP_small_classes``,
            ``AR@100``, ...).

    Raises:
        UserError: a small class that the data set does not have, when the two first meet; an
            unknown protocol or item; no ground truth at all; an ``ann_file`` that is not
            that of the evaluated images; samples without ground truth.
    """

    def __init__(
        self,
        small_classes: Sequence[str] | str = 'all',
        protocol: str | Sequence[str] = 'coco',
        prophesee_min_side: float | None = None,
        prophesee_min_diagonal: float | None = None,
        skip_us: int = 500_000,
        subsets: Sequence[str] = (),
        **kwargs: object,
    ) -> None:
        super().__init__(**{'classwise': True, **kwargs})
        self.ann_file = str(kwargs.get('ann_file'))
        self.small_classes = small_classes  # names once the data set is known
        self.protocols = (protocol,) if isinstance(protocol, str) else tuple(protocol)
        if not self.protocols or set(self.protocols) - set(PROTOCOLS):
            raise UserError(
                f'SmallObjectMetric protocol={protocol!r}: it is one of {PROTOCOLS}, or a list of '
                'several.'
            )
        check_items(self.metric_items, self.proposal_nums, self.protocols)
        self.prophesee = PropheseeProtocol(prophesee_min_side, prophesee_min_diagonal, skip_us)
        self.subsets = tuple(subsets)

    @property
    def dataset_meta(self) -> dict | None:
        """Meta information of the evaluated data set; MMEngine sets it before an evaluation."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        self.small_classes = SmallClasses(dataset_meta['classes'], self.small_classes).names
        self._dataset_meta = dataset_meta
        self._names: Sequence[str] = dataset_meta['classes']

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep detections and ground truth of these samples, and the time of recordings.

        Raises:
            UserError: no ground truth in a sample, and no ``ann_file`` either.
        """
        if self._coco_api is None and any('instances' not in sample for sample in data_samples):
            raise UserError(
                'SmallObjectMetric has no ann_file, and the samples have no ground truth: give it '
                "ann_file, or add 'instances' to the meta_keys of PackDetInputs in the pipeline of "
                'the evaluated data set.'
            )
        before = len(self.results)
        super().process(data_batch, data_samples)
        for (truth, found), sample in zip(self.results[before:], data_samples, strict=True):
            if 'prophesee' not in self.protocols:
                cut_found(found, (truth['width'], truth['height']))
            truth['timestamp_us'] = sample.get('timestamp_us')
            truth['img_path'] = sample.get('img_path')

    def evaluate(self, size: int) -> dict:
        """Metrics over the frames of all processes, each of them once.

        MMEngine would cut the results at ``size``, the length of the data set, and drop what one
        process has more than another; streamed recordings give each process as many frames as
        they happen to have.
        """
        # In turn, as samplers deal the frames out, so that files have the order of a single process
        in_turn = chain.from_iterable(zip_longest(*all_gather_object(self.results)))
        gathered = [entry for entry in in_turn if entry is not None]
        self.results.clear()
        metrics: list = [None]
        if is_main_process():
            frames = {image_key(truth): (truth, found) for truth, found in gathered}
            metrics = [
                {f'{self.prefix}/{k}' if self.prefix else k: v for k, v in computed.items()}
                for computed in [self.compute_metrics(list(frames.values()))]
            ]
        broadcast_object_list(metrics)
        return metrics[0]

    def compute_metrics(self, results: list) -> dict[str, float]:
        truths = [truth for truth, _ in results]
        if self.metrics != ['bbox'] or self.format_only:
            check_unique(truths, 'CocoMetric cannot tell them apart.')
            self.img_ids = [truth['img_id'] for truth in truths]
            return super().compute_metrics(results)
        images, annotations, category_ids = self._ground_truth(results)
        detections = of_detections(results, category_ids)
        metrics, by_protocol = self.evaluate_records(images, annotations, detections, category_ids)
        self._show(by_protocol)
        if self.outfile_prefix is not None:
            check_unique(truths, 'COCO results cannot tell them apart; NAME.pkl can.')
            self.cat_ids = category_ids  # of each label; what the base class writes
            self.results2json([found for _, found in results], self.outfile_prefix)
        return metrics

    @property
    def main_protocol(self) -> str:
        """The one whose metrics have plain names."""
        return self._evaluation.main

    @property
    def matched_thresholds(self) -> np.ndarray:
        """IoU thresholds of the main protocol."""
        preset = PRESETS.get(self.main_protocol)
        return np.asarray(preset.thresholds if preset else self.iou_thrs)

    def evaluate_records(
        self,
        images: Sequence[dict],
        annotations: Sequence[dict],
        detections: Sequence[dict],
        category_ids: Sequence[int | str],
        keep: Sequence[str] = (),
    ) -> tuple[dict[str, float], dict[str, CocoMetrics]]:
        """Evaluate COCO records under all protocols: :meth:`Protocols.evaluate`."""
        return self._evaluation.evaluate(images, annotations, detections, category_ids, keep)

    def counted(
        self,
        images: Sequence[dict],
        annotations: Sequence[dict],
        detections: Sequence[dict],
        category_ids: Sequence[int | str],
    ) -> Counted:
        """What the main protocol counts: :meth:`Protocols.counted`."""
        return self._evaluation.counted(
            self.main_protocol, images, annotations, detections, category_ids
        )

    @property
    def small_labels(self) -> list[int]:
        """Labels of the small classes."""
        return [list(self._names).index(name) for name in self.small_classes]

    @property
    def _evaluation(self) -> Protocols:
        return Protocols(
            self.protocols,
            self.prophesee,
            self.subsets,
            self._names,
            self.small_labels,
            self.iou_thrs,
            self.proposal_nums,
            self.classwise,
            self.metric_items,
        )

    def _ground_truth(self, results: list) -> tuple[list[dict], list[dict], list[int]]:
        """Images, COCO annotations, and the category of each label."""
        if self._coco_api is not None:
            coco = self._coco_api
            by_name = {c['name']: c['id'] for c in coco.dataset['categories']}
            category_ids = [by_name[name] for name in self._names]
            truths = [truth for truth, _ in results]
            return *of_file(coco, truths, self.ann_file), category_ids
        self.check_marks(has_file=False)
        images, annotations = self.records(truth for truth, _ in results)
        return images, annotations, list(range(len(self._names)))

    def check_marks(self, has_file: bool) -> None:
        """Refuse a protocol that asks for marks which only an annotation file has.

        Raises:
            UserError: that is so, and there is none.
        """
        for protocol in self.protocols:
            marks = PRESETS[protocol].marks if protocol in PRESETS else ()
            if marks and not has_file:
                raise UserError(
                    f'SmallObjectMetric protocol={protocol!r} looks at {", ".join(marks)} of the '
                    'annotations, and data sets of MMDetection do not hand all of them on: give '
                    'the evaluator the ann_file.'
                )

    def records(self, truths: Iterable[dict]) -> tuple[list[dict], list[dict]]:
        """As :func:`of_samples`, with the names of the subsets."""
        truths = list(truths)
        return of_samples(truths, image_ids(truths), self.subsets)

    def _show(self, by_protocol: dict[str, CocoMetrics]) -> None:
        log = MMLogger.get_current_instance().info
        for protocol, evaluated in by_protocol.items():
            preset = PRESETS.get(protocol)
            table = metrics_table(evaluated, self._names, self.small_labels, preset)
            rules = f' ({preset.title}: {preset.toolkit})' if preset else ''
            log(f'protocol {protocol}{rules}\n{table}')
        if 'prophesee' in by_protocol:
            log(f'ground truth that counts\n{counts_table(by_protocol, self._names)}')
