"""A single-stage detector with a recurrent backbone, on streams of event representations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.models.detectors.stream_memory import State, StreamMemory, join, select
from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, TrackDataSample


@MODELS.register_module()
class StreamingDetector(SingleStageDetector):
    """Runs the backbone step by step, and neck and head on the labelled steps.

    Truncated back-propagation through time: within a clip the gradient flows through all steps;
    from clip to clip the state goes on without it. A recording begins with an empty state. The
    states of training and of evaluation are kept apart.

    The backbone is one whose ``forward(x, states)`` returns features and states, as
    :class:`MaxViTRNN`; neck and head are those of any single-stage detector.

    Args:
        reset_every_step: forget everything before each step, in training and evaluation: what is
            left is a detector for single representations, to compare with.
        **kwargs: as in ``SingleStageDetector``.

    Raises:
        UserError: in evaluation, a streamed clip whose predecessor was not in the last batch.
    """

    def __init__(self, *args: Any, reset_every_step: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reset_every_step = reset_every_step
        self._memory = {True: StreamMemory(), False: StreamMemory()}  # by self.training

    def step(self, events: Tensor, states: State | None = None) -> tuple[Sequence[Tensor], State]:
        """Features of one representation each of B streams, and the states after it.

        Args:
            events: ``(B, C, H, W)``, counts of any type.
            states: of the step before; None at the start of recordings.
        """
        # Counts become floats here and not earlier: a clip of bytes is a quarter of the memory.
        return self.backbone(events.float(), None if self.reset_every_step else states)

    def unroll(
        self, clips: Sequence[Tensor], samples: Sequence[TrackDataSample]
    ) -> tuple[tuple[Tensor, ...], list[DetDataSample]]:
        """Features of the labelled steps of B clips, whose ends are remembered.

        Clips may differ in length: the shorter ones rest. A batch without any label gives the
        features of the last step of each clip and no samples.

        Args:
            clips: ``(T_i, C, H, W)`` each.
            samples: one per clip, with its labelled steps.

        Returns:
            Features ``(N, C_l, H_l, W_l)`` per level and the N samples: by step, then by clip.
        """
        memory = self._memory[self.training]
        state = join(memory.recall(samples, must_know=not self.training))
        labelled = [{s.step: s for s in clip} if len(clip) else {} for clip in samples]
        wanted = [set(steps) for steps in labelled]
        if not any(wanted):
            wanted = [{len(clip) - 1} for clip in clips]
        features, order = [], []
        running = list(range(len(clips)))
        after: list[State | None] = [None] * len(clips)
        for t in range(max(len(clip) for clip in clips)):
            state, running = self._rest_ended(clips, t, state, running, after)
            levels, state = self.step(torch.stack([clips[i][t] for i in running]), state)
            rows = [row for row, i in enumerate(running) if t in wanted[i]]
            if rows:
                features.append([level[rows] for level in levels])
                order += [labelled[running[row]].get(t) for row in rows]
        self._rest_ended(clips, t + 1, state, running, after)
        memory.keep(samples, after)
        return (
            tuple(torch.cat(parts) for parts in zip(*features, strict=True)),
            [sample for sample in order if sample is not None],
        )

    @staticmethod
    def _rest_ended(
        clips: Sequence[Tensor],
        t: int,
        state: State | None,
        running: list[int],
        after: list[State | None],
    ) -> tuple[State | None, list[int]]:
        """Put the states of clips without a step ``t`` into ``after`` and go on with the others."""
        ended = [row for row, i in enumerate(running) if t == len(clips[i])]
        if not ended or state is None:
            return state, running
        for row in ended:
            after[running[row]] = select(state, [row])
        rows = [row for row in range(len(running)) if row not in ended]
        return select(state, rows), [running[row] for row in rows]

    def loss(self, batch_inputs: Sequence[Tensor], batch_data_samples: list) -> dict:
        """Losses of all labelled steps of the batch.

        Without any label the losses are those of the last steps, times zero: in distributed
        training every parameter has to take part in every iteration.
        """
        features, samples = self.unroll(batch_inputs, batch_data_samples)
        if samples:
            return self.bbox_head.loss(self._pyramid(features), samples)
        empty = [nothing_to_find(batch_inputs[0]) for _ in range(len(features[0]))]
        losses = self.bbox_head.loss(self._pyramid(features), empty)
        return {
            name: value * 0 if isinstance(value, Tensor) else [v * 0 for v in value]
            for name, value in losses.items()
        }

    def predict(
        self, batch_inputs: Sequence[Tensor], batch_data_samples: list, rescale: bool = True
    ) -> list[DetDataSample]:
        """Detections on the labelled steps: by step, then by clip."""
        features, samples = self.unroll(batch_inputs, batch_data_samples)
        if not samples:
            return []
        results = self.bbox_head.predict(self._pyramid(features), samples, rescale=rescale)
        return self.add_pred_to_datasample(samples, results)

    def extract_feat(self, batch_inputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The pyramid of single representations ``(B, C, H, W)``, each a recording's first.

        Of clips (a list of ``(T, C, H, W)``, as MMDetection's analysis tools pass them on) it is
        the first step that counts.
        """
        if not isinstance(batch_inputs, Tensor):
            batch_inputs = torch.stack([clip[0] for clip in batch_inputs])
        features, _ = self.step(batch_inputs)
        return self._pyramid(features)

    def _pyramid(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return self.neck(features) if self.with_neck else tuple(features)


def nothing_to_find(clip: Tensor) -> DetDataSample:
    """A sample without objects, of the size of a clip ``(T, C, H, W)``."""
    shape = tuple(clip.shape[-2:])
    sample = DetDataSample(
        metainfo=dict(img_shape=shape, pad_shape=shape, batch_input_shape=shape, ori_shape=shape)
    )
    sample.gt_instances = InstanceData(
        bboxes=clip.new_zeros((0, 4), dtype=torch.float32),
        labels=clip.new_zeros(0, dtype=torch.long),
    )
    return sample
