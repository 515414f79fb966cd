"""What the samples of a batch are called, for messages."""

from __future__ import annotations

from typing import Any


def sample_names(data_batch: Any) -> list[str]:
    """Image paths of a collated batch; of clips, the recording and the steps.

    Several views of one image (semi-supervised training) are named once.

    Args:
        data_batch: as a data loader gives it: ``data_samples`` is a list of samples, or a dict of
            such lists. Anything else has no names.
    """
    samples = data_batch.get('data_samples', []) if isinstance(data_batch, dict) else []
    views = samples.values() if isinstance(samples, dict) else [samples]
    return list(dict.fromkeys(_name(sample) for view in views for sample in view))


def _name(sample: Any) -> str:
    if hasattr(sample, 'img_path'):
        return str(sample.img_path)
    if hasattr(sample, 'recording'):
        frames = getattr(sample, 'video_data_samples', [])
        recording = frames[0].recording if len(frames) else f'recording {sample.recording}'
        return f'{recording}, steps {sample.start} to {sample.stop - 1}'
    return 'unnamed'
