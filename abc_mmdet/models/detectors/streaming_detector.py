"""A single-stage detector with a recurrent backbone, on streams of event representations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.errors import UserError
from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, TrackDataSample

State = tuple[tuple[Tensor, Tensor] | None, ...]
"""Of one clip or a batch of them: hidden and cell state ``(B, C, H, W)`` per stage, or None."""


class StreamMemory:
    """Keeps the state after each streamed clip for the clip that goes on there.

    States belong to a place in a recording, not to a place in the batch: any order and number of
    lanes gives the same result. Only what the last batch left is kept, as every stream goes on in
    the next one.

    Attributes:
        states: by recording, seed and step of that place.

    Examples:
        >>> memory = StreamMemory()
        >>> memory.states
        {}
    """

    def __init__(self) -> None:
        self.states: dict[tuple, State | None] = {}

    def recall(self, clips: Sequence[TrackDataSample], must_know: bool) -> list[State | None]:
        """The state in which each clip begins; None at the start of a recording.

        Args:
            clips: meta information ``recording``, ``seed``, ``start`` and ``streamed``.
            must_know: refuse a streamed clip whose predecessor was not in the last batch. Training
                begins it without memory: so does a run that goes on from weights alone.

        Raises:
            UserError: such a clip.
        """
        states = []
        for clip in clips:
            state = None
            if clip.streamed and clip.start > 0:
                place = (clip.recording, clip.seed, clip.start)
                state = self.states.get(place)
                if must_know and place not in self.states:
                    raise UserError(
                        f'Recording {clip.recording} came at step {clip.start} without the steps '
                        "before it. Stream it: batch_sampler=dict(type='StreamBatchSampler') "
                        "and sampler=dict(type='RecordingSampler', shuffle=False, "
                        'infinite=False) in the data loader.'
                    )
            states.append(state)
        return states

    def keep(self, clips: Sequence[TrackDataSample], states: Sequence[State | None]) -> None:
        """Replace the memory by the states after these clips, cut from their gradients."""
        self.states = {
            (clip.recording, clip.seed, clip.stop): state and detach(state)
            for clip, state in zip(clips, states, strict=True)
            if clip.streamed
        }


def detach(state: State) -> State:
    """The state without its history."""
    return tuple(pair and (pair[0].detach(), pair[1].detach()) for pair in state)


def join(states: Sequence[State | None]) -> State | None:
    """States of several clips as one of the batch; zeros for those that have none yet."""
    known = next((state for state in states if state is not None), None)
    if known is None:
        return None
    joined: list[tuple[Tensor, Tensor] | None] = []
    for stage, pair in enumerate(known):
        if pair is None:
            joined.append(None)
            continue
        none = torch.zeros_like(pair[0]), torch.zeros_like(pair[1])
        of_all = [(state[stage] or none) if state is not None else none for state in states]
        joined.append((torch.cat([h for h, _ in of_all]), torch.cat([c for _, c in of_all])))
    return tuple(joined)


def select(state: State, rows: list[int]) -> State:
    """The state of some clips of a batch."""
    return tuple(pair and (pair[0][rows], pair[1][rows]) for pair in state)


@MODELS.register_module()
class StreamingDetector(SingleStageDetector):
    """Runs the backbone on all steps of a clip, and neck and head on the labelled ones.

    Truncated back-propagation through time: within a clip the gradient flows through all steps;
    from clip to clip the state goes on without it. A recording begins with an empty state. The
    states of training and of evaluation are kept apart.

    The backbone is one whose ``forward(x, states, batch_sizes)`` returns features and states, as
    :class:`MaxViTRNN`; neck and head are those of any single-stage detector.

    Args:
        reset_every_step: forget everything before each step, in training and evaluation: what is
            left is a detector for single representations, to compare with.
        **kwargs: as in ``SingleStageDetector``.

    Raises:
        UserError: in evaluation, a streamed clip whose predecessor was not in the last batch.

    Examples:
        >>> model = dict(
        ...     type='StreamingDetector', backbone=dict(type='MaxViTRNN'),
        ...     neck=dict(type='ABCPAFPN', in_channels=[64, 128, 256, 512], out_channels=128),
        ...     data_preprocessor=dict(type='EventDataPreprocessor'))
    """

    def __init__(self, *args: Any, reset_every_step: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reset_every_step = reset_every_step
        self._memory = {True: StreamMemory(), False: StreamMemory()}  # by self.training

    def forget_streams(self) -> None:
        """Let recordings that are being trained on go on without memory."""
        self._memory[True] = StreamMemory()

    def running_state(self) -> dict:
        """The memory of training, for :class:`ExactResumeHook`."""
        return self._memory[True].states

    def set_running_state(self, state: dict) -> None:
        self._memory[True].states = dict(state)

    def unroll(
        self, clips: Sequence[Tensor], samples: Sequence[TrackDataSample]
    ) -> tuple[tuple[Tensor, ...], list[DetDataSample]]:
        """Features of the labelled steps of B clips, whose ends are remembered.

        Clips may differ in length. A batch without any label gives the features of the last step
        of each clip and no samples.

        Args:
            clips: ``(T_i, C, H, W)`` each.
            samples: one per clip, with its labelled steps.

        Returns:
            Features ``(N, C_l, H_l, W_l)`` per level and the N samples, by step.
        """
        # The longest first: those that still run at a step are then the first ones.
        order = sorted(range(len(clips)), key=lambda i: -len(clips[i]))
        clips, samples = [clips[i] for i in order], [samples[i] for i in order]
        running = [sum(len(clip) > t for clip in clips) for t in range(len(clips[0]))]
        packed = torch.cat(
            [torch.stack([clip[t] for clip in clips[:n]]) for t, n in enumerate(running)]
        )
        features = self._stream(packed, samples, running)

        labelled = [{s.step: s for s in clip} if len(clip) else {} for clip in samples]
        wanted = [set(steps) for steps in labelled]
        if not any(wanted):
            wanted = [{len(clip) - 1} for clip in clips]
        places = [(t, i) for t, n in enumerate(running) for i in range(n)]
        rows = [row for row, (t, i) in enumerate(places) if t in wanted[i]]
        wanted_samples = [labelled[i].get(t) for t, i in (places[row] for row in rows)]
        return (
            tuple(level[rows] for level in features),
            [sample for sample in wanted_samples if sample is not None],
        )

    def _stream(
        self, packed: Tensor, samples: Sequence[TrackDataSample], running: list[int]
    ) -> Sequence[Tensor]:
        """Features of all steps; recalls the states before them and keeps those after them."""
        memory = self._memory[self.training]
        before = memory.recall(samples, must_know=not self.training)
        # Counts become floats here and not earlier: a clip of bytes is a quarter of the memory.
        if self.reset_every_step:
            features, _ = self.backbone(packed.float())
            memory.keep(samples, [None] * len(samples))
            return features
        features, after = self.backbone(packed.float(), join(before), running)
        memory.keep(samples, [select(after, [i]) for i in range(len(samples))])
        return features

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
        """Detections on the labelled steps, by step."""
        features, samples = self.unroll(batch_inputs, batch_data_samples)
        if not samples:
            return _NothingFound()
        results = self.bbox_head.predict(self._pyramid(features), samples, rescale=rescale)
        return self.add_pred_to_datasample(samples, results)

    def extract_feat(self, batch_inputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The pyramid of single representations ``(B, C, H, W)``, each a recording's first.

        Of clips (a list of ``(T, C, H, W)``, as MMDetection's analysis tools pass them on) it is
        the first step that counts.
        """
        if not isinstance(batch_inputs, Tensor):
            batch_inputs = torch.stack([clip[0] for clip in batch_inputs])
        features, _ = self.backbone(batch_inputs.float())
        return self._pyramid(features)

    def _pyramid(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return self.neck(features) if self.with_neck else tuple(features)


class _NothingFound(list):
    """An empty list whose last entry can be asked for, as MMEngine's loops do: it may be a loss."""

    def __getitem__(self, index: Any) -> Any:
        return None if index == -1 else super().__getitem__(index)


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
