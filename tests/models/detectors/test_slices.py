"""Slices cover the image and overlap as asked, and who sees all of a box."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.models.detectors.slices import seen_whole, slice_grid

IMAGES = st.tuples(st.integers(1, 90), st.integers(1, 90))
SLICES = st.tuples(st.integers(1, 40), st.integers(1, 40))
OVERLAPS = st.sampled_from([0, 0.1, 0.2, 0.5, 0.9])


@given(IMAGES, SLICES, OVERLAPS)
def test_slices_cover_the_image(image, size, overlap) -> None:
    times_seen = np.zeros(image[::-1], int)
    slices = slice_grid(image, size, overlap)
    for x1, y1, x2, y2 in slices:
        assert 0 <= x1 < x2 <= image[0] and 0 <= y1 < y2 <= image[1]
        assert (x2 - x1, y2 - y1) == (min(size[0], image[0]), min(size[1], image[1]))
        times_seen[y1:y2, x1:x2] += 1
    assert times_seen.min() >= 1
    assert len(set(slices)) == len(slices)


@given(IMAGES, SLICES, OVERLAPS)
def test_neighbours_overlap_by_what_was_asked_and_no_slice_is_idle(image, size, overlap) -> None:
    slices = slice_grid(image, size, overlap)
    for axis in (0, 1):
        asked = int(overlap * size[axis])
        starts = sorted({part[axis] for part in slices})
        shared = [a + size[axis] - b for a, b in pairwise(starts)]
        assert all(width >= asked for width in shared)
        assert all(width == asked for width in shared[:-1]), 'the last may overlap by more'
        # One slice fewer would not do
        step = size[axis] - asked
        assert len(starts) == max(1, -(-(image[axis] - asked) // step))


@pytest.mark.parametrize('size', [(100, 80), (101, 300)])
def test_an_image_no_larger_than_a_slice_is_not_cut(size) -> None:
    assert slice_grid((100, 80), size, 0.2) == [(0, 0, 100, 80)]


@given(st.data())
def test_what_is_small_is_whole_somewhere(data) -> None:
    image, size, overlap = (data.draw(strategy) for strategy in (IMAGES, SLICES, OVERLAPS))
    sides = [min(int(overlap * size[k]), image[k]) for k in (0, 1)]
    x, y = (data.draw(st.integers(0, image[k] - sides[k])) for k in (0, 1))
    slices = np.array(slice_grid(image, size, overlap))
    inside = (slices[:, :2] <= (x, y)).all(1) & (slices[:, 2:] >= (x + sides[0], y + sides[1])).all(
        1
    )
    assert inside.any()


# A row of two slices and a row of one below; 0-60 and 40-100 share 40-60
SLICED = torch.tensor([[0, 0, 60, 50], [40, 0, 100, 50], [0, 40, 100, 90]]).float()
SIZE, MARGIN = torch.tensor([100.0, 90.0]), torch.tensor([2.0, 2.0])


@pytest.mark.parametrize(
    ('box', 'whole_in'),
    [
        ([10, 10, 20, 20], [0]),
        ([0, 0, 20, 20], [0]),  # at the border of the image
        ([-3, -3, 20, 20], [0]),  # beyond it
        ([50, 10, 60, 20], [1]),
        ([50, 10, 58.1, 20], [1]),  # near the border of the first slice
        ([50, 10, 57.9, 20], [0, 1]),
        ([30, 10, 60, 20], []),  # cut by both
        ([41, 10, 60, 20], []),
        ([10, 42.5, 20, 50], [2]),
        ([50, 42.5, 60, 50], [2]),  # at a corner
        ([10, 20, 20, 50], []),  # too tall
        ([45, 43, 55, 47], [0, 1, 2]),
    ],
)
def test_who_sees_all_of_a_box(box: list[float], whole_in: list[int]) -> None:
    (whole,) = seen_whole(torch.tensor([box]), SLICED, SIZE, MARGIN)
    assert whole.nonzero().flatten().tolist() == whole_in


@given(IMAGES, SLICES, OVERLAPS, st.data())
def test_who_sees_all_of_any_box(image, size, overlap, data) -> None:
    slices = slice_grid(image, size, overlap)
    left, top = data.draw(st.integers(0, image[0] - 1)), data.draw(st.integers(0, image[1] - 1))
    box = [
        left,
        top,
        *(data.draw(st.integers(a + 1, b)) for a, b in ((left, image[0]), (top, image[1]))),
    ]
    whole = seen_whole(
        torch.tensor([box]).float(),
        torch.tensor(slices).float(),
        torch.tensor(image).float(),
        MARGIN,
    )
    near = 2
    assert whole[0].tolist() == [
        (x1 == 0 or box[0] >= x1 + near)
        and (y1 == 0 or box[1] >= y1 + near)
        and (x2 == image[0] or box[2] <= x2 - near)
        and (y2 == image[1] or box[3] <= y2 - near)
        for x1, y1, x2, y2 in slices
    ]
