"""Images of events against plain loops over pixels."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mmengine.dataset import pseudo_collate

from abc_mmdet.errors import UserError
from abc_mmdet.models import EventFrame, PolaritySurface
from mmdet.registry import MODELS

from .test_event_data_preprocessor import clip_of


def counts_of(bins: int) -> st.SearchStrategy[np.ndarray]:
    shape = st.tuples(st.integers(1, 2), st.just(2 * bins), st.integers(1, 3), st.integers(1, 4))
    values = st.one_of(st.just(0), st.integers(0, 10))
    return hnp.arrays(np.uint8, shape, elements=values)


SEVERAL = st.sampled_from([1, 3, 10]).flatmap(counts_of)


def pixels(counts: np.ndarray):
    """Place, and numbers of negative and positive events of each bin there."""
    steps, channels, height, width = counts.shape
    for t, y, x in itertools.product(range(steps), range(height), range(width)):
        column = [int(v) for v in counts[t, :, y, x]]
        yield (t, y, x), column[: channels // 2], column[channels // 2 :]


@given(SEVERAL, st.sampled_from([1.0, 5.0, 7.5]))
def test_polarity_surface(counts: np.ndarray, full: float) -> None:
    image = PolaritySurface(full)(torch.from_numpy(counts))
    assert image.dtype == torch.float32 and image.shape == (len(counts), 3, *counts.shape[2:])
    for (t, y, x), negative, positive in pixels(counts):
        last = 0
        for number in range(len(negative)):
            if negative[number] + positive[number] > 0:
                last = number + 1
        expected = [
            255 * min(sum(positive) / full, 1),
            255 * min(sum(negative) / full, 1),
            255 * last / len(negative),
        ]
        assert image[t, :, y, x].tolist() == pytest.approx(expected, rel=1e-6)


@given(SEVERAL, st.sampled_from([(5.0, 3, 114.0), (2.0, 1, 0.0), (9.0, 1, 255.0)]))
def test_event_frame(counts: np.ndarray, options: tuple[float, int, float]) -> None:
    full, channels, background = options
    image = EventFrame(full, channels, background)(torch.from_numpy(counts))
    assert image.dtype == torch.float32
    for (t, y, x), negative, positive in pixels(counts):
        share = max(-1, min(1, (sum(positive) - sum(negative)) / full))
        expected = background + share * (255 - background if share > 0 else background)
        found = image[t, :, y, x].tolist()
        assert found == pytest.approx([expected] * channels, abs=1e-4)
        assert 0 <= found[0] <= 255


@pytest.mark.parametrize('full', [0, -1, float('nan')])
def test_brightness_needs_a_number_of_events(full: float) -> None:
    with pytest.raises(UserError, match='PolaritySurface full='):
        PolaritySurface(full)


def test_representations_that_are_none_of_two_polarities_are_refused() -> None:
    with pytest.raises(UserError, match='this representation has 5'):
        PolaritySurface()(torch.zeros(1, 5, 2, 2))
    with pytest.raises(UserError, match='EventFrame channels=2'):
        EventFrame(channels=2)


@pytest.mark.parametrize('type_', ['PolaritySurface', 'EventFrame'])
def test_clips_become_padded_and_normalised_images(type_: str) -> None:
    batch = pseudo_collate([clip_of(3, (24, 33), (0, 2)), clip_of(2, (24, 33), ())])
    mean, std = [10.0, 20.0, 30.0], [2.0, 4.0, 8.0]
    options = dict(type='EventDataPreprocessor', image=dict(type=type_), pad_size_divisor=32)
    plain = MODELS.build(options)(batch)
    done = MODELS.build(dict(options, mean=mean, std=std))(batch)
    background = 114.0 if type_ == 'EventFrame' else 0.0
    image = MODELS.build(dict(type=type_))
    for counts, clip, normalised in zip(
        batch['inputs'], plain['inputs'], done['inputs'], strict=True
    ):
        assert clip.shape == (len(counts), 3, 32, 64)
        assert torch.equal(clip[..., :24, :33], image(counts))
        assert (clip[..., 24:, :] == background).all() and (clip[..., 33:] == background).all()
        for channel in range(3):
            expected = (clip[:, channel] - mean[channel]) / std[channel]
            torch.testing.assert_close(normalised[:, channel], expected)
    for sample in done['data_samples'][0]:
        assert sample.batch_input_shape == sample.pad_shape == (32, 64)
        assert sample.img_shape == (24, 33), 'boxes end there'
    assert not MODELS.build(dict(options, mean=mean, std=std)).state_dict()


def test_half_a_normalisation_is_refused() -> None:
    for options in (dict(mean=[1.0]), dict(std=[1.0]), dict(mean=[1.0], std=[0.0])):
        with pytest.raises(UserError, match='give both or neither'):
            MODELS.build(dict(type='EventDataPreprocessor', **options))
