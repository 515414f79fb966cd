"""Event recordings as a row of images: from an experiment, or straight from the camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from abc_mmdet.checkpoints.fit import Target, load_fitting
from abc_mmdet.checkpoints.loading import read, weights_only
from abc_mmdet.datasets.events import EventSequenceDataset
from abc_mmdet.datasets.events.labels import even_windows
from abc_mmdet.datasets.events.recording import Recording
from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram
from abc_mmdet.errors import UserError
from abc_mmdet.visualization import draw_events, draw_sample, with_caption
from mmdet.registry import DATASETS, MODELS

from .user_messages import config_mistakes


def browse_experiment(
    config: Config,
    loader: str,
    recording: str | None = None,
    checkpoint: str | None = None,
    every_step: bool = True,
    score_thr: float = 0.3,
    upscale: int = 1,
) -> Iterator[tuple[str, np.ndarray]]:
    """Images of one recording of an experiment, in order of time.

    Args:
        config: of the experiment.
        loader: whose data set the recording belongs to, such as ``val_dataloader``.
        recording: its name; default: the first.
        checkpoint: stream the recording through the detector with these weights.
        every_step: all steps, else the labelled ones.
        score_thr, upscale: as in :func:`draw_sample`.

    Yields:
        Name and image, uint8 ``(H, W, 3)``, blue, green, red.

    Raises:
        UserError: the data set is none of event recordings, or has no recording of that name, or
            the config cannot be built.
    """
    init_default_scope('mmdet')
    if config.get(loader) is None:
        raise UserError(f'{config.filename} has no {loader}: name another split.')
    options = dict(config[loader].dataset, test_mode=True)
    if options['type'] != 'EventSequenceDataset':
        raise UserError(
            f'{loader}.dataset is a {options["type"]}; only an EventSequenceDataset can be browsed '
            "here. MMDetection's tools/analysis_tools/browse_dataset.py is for images."
        )
    # Augmented training clips would be no recording any more
    options['pipeline'] = [dict(type='LoadEventClip'), dict(type='PackClipInputs')]
    with config_mistakes(str(config.filename)):
        dataset: EventSequenceDataset = DATASETS.build(dict(options, every_step=every_step))
    names = [sequence.name for sequence in dataset.sequences]
    if recording is not None and recording not in names:
        raise UserError(f'--recording {recording}: there are {", ".join(names)}.')
    model = None
    if checkpoint is not None:
        with weights_only():
            with config_mistakes(str(config.filename)):
                model = MODELS.build(config.model).eval()
            target = Target(model, str(config.filename), dataset.metainfo['classes'])
            load_fitting(read(checkpoint), target, checkpoint)
        model.to('cuda' if torch.cuda.is_available() else 'cpu')
    number = 0 if recording is None else names.index(recording)
    labelled = set(dataset.sequences[number].frame_steps.tolist())
    for clip in dataset.stream(number, seed=0):
        batch = pseudo_collate([dataset[clip]])
        (samples,) = batch['data_samples']
        if model is not None:
            with torch.no_grad():
                samples = model.test_step(batch)
        for sample in samples if len(samples) else []:
            events = batch['inputs'][0][sample.step].numpy()
            image = draw_sample(
                events,
                sample,
                dataset.metainfo['classes'],
                score_thr,
                upscale,
                is_labelled=clip.start + sample.step in labelled,
            )
            yield Path(sample.img_path).stem, image


def browse_recording(
    path: Path, size: tuple[int, int] | None, window_ms: int, upscale: int = 1
) -> Iterator[tuple[str, np.ndarray]]:
    """Images of a recording as it came from the camera, one per window.

    Args:
        path: ``.h5``, ``.raw`` or ``.dat``.
        size: width and height of the sensor; None takes them from the file.
        window_ms: length of a window.
        upscale: pixels of the image per pixel of the sensor.

    Yields:
        Name and image, uint8 ``(H, W, 3)``, blue, green, red.

    Raises:
        UserError: a file that cannot be read, is empty or does not tell its sensor's size.
    """
    recording = Recording(path, size)
    ends = even_windows(*recording.time_span(), window_ms * 1000)
    histogram = StackedHistogram(bins=1, window_ms=window_ms, downsample='none')
    for end, events in zip(ends.tolist(), recording.windows(ends, window_ms * 1000), strict=True):
        image = draw_events(histogram(*events, recording.size), upscale)
        text = f'{path.name}  {end / 1e6:.2f} s  {len(events[0]):,} events'
        yield f'{path.stem}_{end // 1000:07d}ms', with_caption(image, text)
