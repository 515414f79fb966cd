"""What a test was: checkpoint, input, speed and day, beside the detections it wrote."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.runner import Runner

from abc_mmdet.utils.atomic_write import atomic_write
from abc_mmdet.utils.wrapped import unwrapped

from .progress import batch_size, device_name

RESULTS = '.bbox.json'
SUFFIX = '.test.json'


@dataclass(frozen=True)
class TestRecord:
    """What is known of the test that some detections come from.

    Args:
        config, checkpoint: files, as they were given.
        date: day and time of its end, ISO 8601.
        device: what it ran on.
        images: that were tested.
        batch_size: images at a time.
        input_size: width and height of the network's input in pixels, padding included; the most
            frequent one of several.
        milliseconds: per image: loading, network and suppression, without the first batch.

    Examples:
        >>> record = TestRecord('a.py', 'iter_400.pth', '2026-01-31T12:00', 'CPU', images=20)
        >>> record.milliseconds is None
        True
    """

    __test__ = False  # pytest: no test

    config: str
    checkpoint: str
    date: str
    device: str
    images: int
    batch_size: int | None = None
    input_size: tuple[int, int] | None = None
    milliseconds: float | None = None


def record_path(results: str | Path) -> Path:
    """Where the record of a file of detections is: ``a.test.json`` for ``a.bbox.json``."""
    return Path(str(results).removesuffix(RESULTS) + SUFFIX)


class InputSizes:
    """Counts the sizes of what a detector is given, while it is tested.

    Examples:
        >>> network = torch.nn.Module()
        >>> network.data_preprocessor = torch.nn.Identity()
        >>> sizes = InputSizes(network)
        >>> _ = network.data_preprocessor(dict(inputs=torch.zeros(2, 3, 96, 128)))
        >>> sizes.most_frequent
        (128, 96)
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self.counts: Counter[tuple[int, int]] = Counter()
        preprocessor = getattr(unwrapped(model), 'data_preprocessor', None)
        if isinstance(preprocessor, torch.nn.Module):
            preprocessor.register_forward_hook(self._count)

    def _count(self, module: torch.nn.Module, arguments: Any, output: Any) -> None:
        inputs = output.get('inputs') if isinstance(output, dict) else None
        if isinstance(inputs, torch.Tensor) and inputs.ndim >= 4:
            height, width = inputs.shape[-2:]
            self.counts[int(width), int(height)] += len(inputs)

    @property
    def most_frequent(self) -> tuple[int, int] | None:
        """Width and height, or None if nothing was seen."""
        return self.counts.most_common(1)[0][0] if self.counts else None


def write_record(runner: Runner, sizes: InputSizes, path: Path) -> None:
    """Write the record of a test that has ended."""
    loader = runner.test_dataloader
    images, size = len(loader.dataset), batch_size(loader)
    record = TestRecord(
        config=str(runner.cfg.filename),
        checkpoint=str(runner._load_from),
        date=datetime.datetime.now().astimezone().isoformat(timespec='minutes'),
        device=device_name(runner.model),
        images=images,
        batch_size=size,
        input_size=sizes.most_frequent,
        milliseconds=_milliseconds(runner, images / get_world_size(), size),
    )
    text = json.dumps(asdict(record), indent=1)
    atomic_write(path, f'{text}\n'.encode())


def _milliseconds(runner: Runner, images: float, batch_size: int | None) -> float | None:
    history = runner.message_hub.log_scalars.get('test/time')
    if history is None or not images:
        return None
    times = list(history.data[0])
    if len(times) > 1 and batch_size and images > batch_size:
        times, images = times[1:], images - batch_size  # the first one starts the loaders
    return round(1000 * float(sum(times)) / images, 3)


def read_record(results: str | Path) -> TestRecord | None:
    """The record beside a file of detections; None if there is none, or one that cannot be read."""
    try:
        content = json.loads(record_path(results).read_text(encoding='utf-8'))
        fields = {name: content.get(name) for name in TestRecord.__dataclass_fields__}
        size, speed = fields['input_size'], fields['milliseconds']
        fields['input_size'] = None if size is None else (int(size[0]), int(size[1]))
        fields['milliseconds'] = None if speed is None else float(speed)
        for name in ('config', 'checkpoint', 'date', 'device'):
            fields[name] = str(fields[name])
        return TestRecord(**fields)
    except (OSError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return None
