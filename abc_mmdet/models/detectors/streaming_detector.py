"""A single-stage detector that remembers, on streams of event representations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from abc_mmdet.errors import UserError
from abc_mmdet.models.recurrence import RecurrentModule, State, StreamMemory, join, select
from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, TrackDataSample

from .unlabelled import NothingFound, nothing_to_find


@MODELS.register_module()
class StreamingDetector(SingleStageDetector):
    """Runs what remembers on all steps of a clip, and what comes after it on the labelled ones.

    Truncated back-propagation through time: within a clip the gradient flows through all steps;
    from clip to clip the state goes on without it. A recording begins with an empty state. The
    states of training and of evaluation are kept apart.

    Each :class:`RecurrentModule` among backbone, neck and adapter remembers; the other parts, and
    the head, are those of any single-stage detector. With :class:`MaxViTRNN` the backbone
    remembers. With an ``adapter`` such as :class:`ConvLSTMAdapter` a detector of images does: its
    own parts keep their names, so its checkpoints load. If nothing remembers, only the labelled
    steps are looked at.

    Args:
        reset_every_step: forget everything before each step, in training and evaluation: what is
            left is a detector for single representations, to compare with.
        adapter: config of a module that takes and gives a pyramid of features.
        adapter_after: ``'neck'``, so that it stands before the head, or ``'backbone'``.
        frozen: parts that do not learn and are in evaluation mode in training too, so that
            statistics of normalisation stay: ``('backbone', 'neck', 'bbox_head')`` leaves the
            adapter, ``'bbox_head.main_head'`` is one inside an :class:`ABCHead`.
        step_ms: length in milliseconds of the step that the memory was trained for: at steps of
            another length it forgets as much in the same time (:func:`gates_after`). None: all
            steps count alike, however long.
        **kwargs: as in ``SingleStageDetector``.

    Raises:
        UserError: an unknown part in ``frozen`` or ``adapter_after``, or nothing left that learns;
            in evaluation, a streamed clip whose predecessor was not in the last batch; clips
            without the lengths that ``step_ms`` needs.

    Examples:
        >>> model = dict(
        ...     type='StreamingDetector', backbone=dict(type='MaxViTRNN'),
        ...     neck=dict(type='ABCPAFPN', in_channels=[64, 128, 256, 512], out_channels=128),
        ...     data_preprocessor=dict(type='EventDataPreprocessor'))
    """

    def __init__(
        self,
        *args: Any,
        reset_every_step: bool = False,
        adapter: dict | None = None,
        adapter_after: str = 'neck',
        frozen: Sequence[str] = (),
        step_ms: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if adapter_after not in ('backbone', 'neck'):
            raise UserError(f"model.adapter_after={adapter_after!r}: 'neck' or 'backbone'.")
        if step_ms is not None and not step_ms > 0:
            raise UserError(f'model.step_ms={step_ms}: milliseconds, more than 0, or None.')
        self.reset_every_step = reset_every_step
        self.adapter = None if adapter is None else MODELS.build(adapter)
        self.adapter_after = adapter_after
        self.step_ms = step_ms
        self.frozen = (frozen,) if isinstance(frozen, str) else tuple(frozen)
        self._freeze()
        self._memory = {True: StreamMemory(), False: StreamMemory()}  # by self.training

    def _freeze(self) -> None:
        modules = dict(self.named_modules())
        for name in self.frozen:
            if not name or name not in modules:
                parts = ', '.join(name for name, _ in self.named_children() if name in _PARTS)
                raise UserError(f'model.frozen has {name!r}; the parts of this detector: {parts}.')
            modules[name].requires_grad_(False)
        if self.frozen and not any(p.requires_grad for p in self.parameters()):
            raise UserError(
                f'model.frozen={self.frozen}: nothing is left that learns. Give an adapter, or '
                'leave out a part.'
            )

    def train(self, mode: bool = True) -> StreamingDetector:
        """As in ``nn.Module``; what is frozen stays in evaluation mode."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    @property
    def parts(self) -> tuple[list[nn.Module], list[nn.Module]]:
        """Backbone, neck and adapter in their order: up to the last one that remembers (or the
        backbone), which see all steps, and the others."""
        parts = dict(backbone=self.backbone, neck=self.neck if self.with_neck else None)
        order: list[nn.Module] = []
        for name, part in parts.items():
            order += [part] if part is not None else []
            if self.adapter is not None and name == self.adapter_after:
                order.append(self.adapter)
        last = max((i for i, part in enumerate(order) if _num_states(part)), default=0) + 1
        return order[:last], order[last:]

    @property
    def is_recurrent(self) -> bool:
        """Whether a step depends on those before it."""
        return not self.reset_every_step and self.num_states > 0

    @property
    def num_states(self) -> int:
        """Pairs of hidden state and cell that are carried on, of all parts."""
        return sum(map(_num_states, self.parts[0]))

    def forget_streams(self) -> None:
        """Let recordings that are being trained on go on without memory."""
        self._memory[True] = StreamMemory()

    def exchange_memory(self, memory: StreamMemory) -> StreamMemory:
        """Evaluate with another memory from now on, as that of another camera; the one before."""
        before, self._memory[False] = self._memory[False], memory
        return before

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
        labelled = [{s.step: s for s in clip} if len(clip) else {} for clip in samples]
        wanted = [set(steps) for steps in labelled]
        if not any(wanted):
            wanted = [{len(clip) - 1} for clip in clips]
        places = [(t, i) for t, n in enumerate(running) for i in range(n)]
        rows = [row for row, (t, i) in enumerate(places) if t in wanted[i]]
        wanted_samples = [labelled[i].get(t) for t, i in (places[row] for row in rows)]
        features = self._stream(packed, samples, running, rows)
        return features, [sample for sample in wanted_samples if sample is not None]

    def _stream(
        self,
        packed: Tensor,
        samples: Sequence[TrackDataSample],
        running: list[int],
        rows: list[int],
    ) -> tuple[Tensor, ...]:
        """Features of some of all steps; recalls the states before and keeps those after them."""
        memory = self._memory[self.training]
        before = memory.recall(samples, must_know=not self.training)
        elapsed = self._elapsed(samples, running, packed.device)
        # Counts become floats here and not earlier: a clip of bytes is a quarter of the memory.
        if not self.is_recurrent:
            memory.keep(samples, [None] * len(samples))
            elapsed = None if elapsed is None else elapsed[rows]
            return self._run(packed[rows].float(), elapsed=elapsed)[0]
        features, after = self._run(packed.float(), join(before), running, elapsed)
        memory.keep(samples, [select(after, [i]) for i in range(len(samples))])
        return tuple(level[rows] for level in features)

    def _elapsed(
        self, samples: Sequence[TrackDataSample], running: list[int], device: torch.device
    ) -> Tensor | None:
        """Lengths of all steps as multiples of ``step_ms``."""
        if self.step_ms is None:
            return None
        if any('step_us' not in clip for clip in samples):
            raise UserError(
                f'model.step_ms={self.step_ms} needs to know how long the steps of a clip are: the '
                'pipeline is to begin with LoadEventClip and to end with PackClipInputs.'
            )
        lengths = [clip.step_us[t] for t, n in enumerate(running) for clip in samples[:n]]
        return torch.tensor(lengths, device=device) / (1000 * self.step_ms)

    def _run(
        self,
        x: Any,
        state: State | None = None,
        batch_sizes: list[int] | None = None,
        elapsed: Tensor | None = None,
    ) -> tuple[tuple[Tensor, ...], State]:
        """What those parts make of it that see all steps, and the states of all after it."""
        after: list[tuple[Tensor, Tensor] | None] = []
        for part in self.parts[0]:
            if not isinstance(part, RecurrentModule):
                x = part(x)
                continue
            own = state and state[len(after) : len(after) + part.num_states]
            x, states = part(x, own, batch_sizes, elapsed)
            after += states[: part.num_states]
        return tuple(x), tuple(after)

    def step(
        self, x: Tensor, state: State | None = None, elapsed: Tensor | None = None
    ) -> tuple[tuple[Tensor, ...], State]:
        """One step of B streams: the pyramid that the head sees, and the state after it.

        Args:
            x: ``(B, C, H, W)``, preprocessed; state, elapsed: as in :class:`RecurrentModule`.
        """
        features, after = self._run(x, state, None, elapsed)
        return self._pyramid(features), after

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
            return NothingFound()
        results = self.bbox_head.predict(self._pyramid(features), samples, rescale=rescale)
        return self.add_pred_to_datasample(samples, results)

    def extract_feat(self, batch_inputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The pyramid of single representations ``(B, C, H, W)``, each a recording's first.

        Of clips (a list of ``(T, C, H, W)``, as MMDetection's analysis tools pass them on) it is
        the first step that counts.
        """
        if not isinstance(batch_inputs, Tensor):
            batch_inputs = torch.stack([clip[0] for clip in batch_inputs])
        return self.step(batch_inputs.float())[0]

    def _pyramid(self, features: Any) -> tuple[Tensor, ...]:
        for part in self.parts[1]:
            features = part(features)
            features = features[0] if isinstance(part, RecurrentModule) else features
        return tuple(features)


_PARTS = ('backbone', 'neck', 'adapter', 'bbox_head')


def _num_states(part: nn.Module) -> int:
    return part.num_states if isinstance(part, RecurrentModule) else 0
