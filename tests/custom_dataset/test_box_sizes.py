import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.custom_dataset.box_sizes import EDGES, BoxSizes, bin_names
from abc_mmdet.custom_dataset.network_input import NetworkInput

from .conftest import content


def sizes_of(numbers: list[float], labels: list[int] | None = None) -> BoxSizes:
    values = np.array(numbers, float)
    label = np.zeros(len(values), int) if labels is None else np.array(labels)
    return BoxSizes(('car', 'van'), label, values, values)


@given(st.lists(st.floats(0.1, 1000)))
def test_histogram_is_that_of_numpy(numbers: list[float]) -> None:
    expected, _ = np.histogram(numbers, [*EDGES, math.inf])
    assert sizes_of(numbers).histogram().tolist() == expected.tolist()


def test_histogram_of_some_classes_and_shares() -> None:
    sizes = sizes_of([4, 7.9, 8, 300], [0, 1, 1, 1])
    assert sizes.histogram(['car']).tolist() == [0, 1, *[0] * 10]
    assert sizes.histogram(['van']).tolist() == [0, 1, 1, *[0] * 8, 1]
    assert sizes.histogram(['van', 'car']).sum() == 4
    assert sizes.share_below(8) == 0.5
    assert sizes_of([]).share_below(8) == sizes_of([]).percentile(50) == 0
    assert bin_names()[0] == '0-4' and bin_names()[-1] == '256+'


def test_sizes_are_of_the_visible_part_at_network_resolution(coco) -> None:
    entries = content(1)
    entries['annotations'] = entries['annotations'][:2]
    entries['annotations'][0]['bbox'] = [-10, 0, 30, 16]  # 20 x 16 of it in the image
    entries['annotations'][1].update(bbox=[0, 0, 8, 8])
    file = coco(entries)
    squeeze = NetworkInput([dict(type='Resize', scale=(48, 16), keep_ratio=False)])
    sizes = BoxSizes.of(file, ('van', 'car'), squeeze)
    assert sizes.label.tolist() == [1, 0], 'labels are those of the classes that were asked for'
    assert sizes.on_disk == pytest.approx([math.sqrt(20 * 16), 8])
    assert sizes.size == pytest.approx([math.sqrt(10 * 4), math.sqrt(4 * 2)])
    assert len(BoxSizes.of(file, ('person',), None)) == 0
