"""An exported graph with states in the place of a detector that streams."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from abc_mmdet.models.data_preprocessors import EventDataPreprocessor
from abc_mmdet.models.recurrence import State, StreamMemory
from mmdet.structures import DetDataSample, TrackDataSample

from .engine_detector import EngineDetector
from .engines import Run
from .recorded import Recorded


class EngineStreamingDetector(EngineDetector):
    """Whatever runs the graph, with the ``predict`` and the memory of a :class:`StreamingDetector`.

    The states that come out of a step go in with the next one of the same recording; before the
    first step they are zeros.

    Args:
        run: from ``images``, states and what else the graph wants to its outputs.
        recorded: what the file says about itself.
    """

    def __init__(self, run: Run, recorded: Recorded) -> None:
        super().__init__(run, recorded)
        self.data_preprocessor = EventDataPreprocessor()  # the graph makes images of counts
        self._memory = StreamMemory()

    def exchange_memory(self, memory: StreamMemory) -> StreamMemory:
        """As that of :class:`StreamingDetector`."""
        before, self._memory = self._memory, memory
        return before

    def padded(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of what the graph is given for a representation of this size."""
        rows, columns = self.recorded.multiples
        width, height = size
        return -(-width // columns) * columns, -(-height // rows) * rows

    def predict(  # type: ignore[override]
        self, batch_inputs: list[Tensor], batch_data_samples: list, rescale: bool = True
    ) -> list[DetDataSample]:
        """Detections on the labelled steps, by clip and step.

        Args:
            batch_inputs: counts ``(T_i, C, H, W)`` per clip.
            batch_data_samples: a ``TrackDataSample`` per clip.
            rescale: to pixels of the sensor.

        Raises:
            UserError: a streamed clip whose predecessor was not in the last batch, or another size
                than the one that the graph is fixed to.
        """
        before = self._memory.recall(batch_data_samples, must_know=True)
        after, found = [], []
        for counts, clip, state in zip(batch_inputs, batch_data_samples, before, strict=True):
            labelled = {sample.step: sample for sample in clip} if len(clip) else {}
            for step in range(len(counts)):
                samples = [labelled[step]] if step in labelled else []
                outputs, state = self._step(counts[step : step + 1], clip, step, state)
                instances = self.found(outputs, samples, rescale)
                found += self.add_pred_to_datasample(samples, instances)
            after.append(state)
        self._memory.keep(batch_data_samples, after)
        return found

    def _step(
        self, counts: Tensor, clip: TrackDataSample, step: int, state: State | None
    ) -> tuple[list[Tensor], State | None]:
        """Outputs for ``(1, C, H, W)``, and the state after it."""
        height, width = counts.shape[-2:]
        columns, rows = self.padded((width, height))
        images = pad(counts.float(), (0, columns - width, 0, rows - height))
        feed = dict(self.feed(images))
        if self.recorded.clips:  # without what was padded
            feed['image_sizes'] = np.array([[height, width]], np.float32)
        if self.recorded.step_ms is not None:
            elapsed = clip.step_us[step] / (1000 * self.recorded.step_ms)
            feed['elapsed'] = np.array([elapsed], np.float32)
        feed |= self._states(state)
        outputs = [torch.from_numpy(output) for output in self.run(feed)]
        if not self.recorded.states:
            return outputs, None
        states = outputs[-len(self.recorded.states) :]
        return outputs, tuple(zip(states[0::2], states[1::2], strict=True))

    def _states(self, state: State | None) -> dict[str, np.ndarray]:
        names, shapes = self.recorded.states, self.recorded.state_shapes
        if state is None:
            return {
                name: np.zeros((1, *shape), np.float32)
                for name, shape in zip(names, shapes, strict=True)
            }
        parts = [part.numpy() for pair in state if pair is not None for part in pair]
        return dict(zip(names, parts, strict=True))
