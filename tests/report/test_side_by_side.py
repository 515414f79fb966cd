"""Which image shows what one result finds and another does not, and how it is drawn."""

import numpy as np
import pytest

from abc_mmdet.errors import UserError
from abc_mmdet.report.side_by_side import FOUND, MISSED, found, most_gained, side_by_side


@pytest.fixture
def perfect(test_set):
    """A detection on every object."""
    return [
        dict(image_id=a['image_id'], category_id=a['category_id'], bbox=a['bbox'], score=0.9)
        for a in test_set.annotations
    ]


def test_what_is_found_and_where_it_is_gained(test_set, perfect):
    of_image = {i: [d for d in perfect if d['image_id'] == i] for i in test_set.images}
    chosen = max(of_image, key=lambda i: (len(of_image[i]), i))
    others = [d for d in perfect if d['image_id'] != chosen]
    less, more = found(test_set, 'less', others, 0.3), found(test_set, 'more', perfect, 0.3)
    assert more.places == {i for i, counts in enumerate(test_set.counted) if counts}
    assert len(more.places) - len(less.places) == len(of_image[chosen])
    assert most_gained(test_set, less, more, 'all') == chosen
    weak = [dict(d, score=0.2) for d in perfect]
    assert found(test_set, 'weak', weak, 0.3).places == frozenset()
    twice = found(test_set, 'twice', perfect + perfect, 0.3)
    assert twice.places == more.places
    with pytest.raises(UserError, match='does less find more all objects than more'):
        most_gained(test_set, more, less, 'all')


def test_colours_say_what_is_found(test_set, perfect):
    nothing, everything = found(test_set, 'a', [], 0.3), found(test_set, 'b', perfect, 0.3)
    image_id = most_gained(test_set, nothing, everything, 'all')
    height, width = test_set.image(test_set.images[image_id]).shape[:2]
    drawn = side_by_side(test_set, image_id, [nothing, everything], None)
    assert drawn.shape == (height + 18, 2 * width + 6, 3)

    def has(part, colour):
        return bool((part == colour).all(2).any())

    left, right = drawn[:, :width], drawn[:, width + 6 :]
    assert has(left, MISSED) and not has(left, FOUND)
    assert has(right, FOUND) and not has(right, MISSED)
    small = side_by_side(test_set, image_id, [nothing, everything], (64, 48))
    assert small.shape == (2 * 48 + 18, 2 * 2 * 64 + 6, 3)
    assert has(small[:, 134:], np.array(FOUND)), 'the part with what is gained'
