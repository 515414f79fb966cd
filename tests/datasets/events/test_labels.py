"""Labels of recordings: reading and filtering."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events.catalogue import CATALOGUE, ETRAM, GEN1, EventCatalogueEntry
from abc_mmdet.datasets.events.labels import (
    BOX_FILTERS,
    SIZES,
    BoxFilter,
    count_boxes,
    prophesee_limits,
    read_boxes,
    total,
)
from abc_mmdet.errors import UserError

BOX = np.dtype(
    [
        *[('t', '<u8'), ('x', '<f4'), ('y', '<f4'), ('w', '<f4'), ('h', '<f4')],
        *[('class_id', 'u1'), ('track_id', '<u4'), ('class_confidence', '<f4')],
    ]
)
ROW = (1000, 4, 5, 30, 40, 1, 7, 1.0)


def pixels(low: int, high: int) -> st.SearchStrategy[float]:
    return st.integers(2 * low, 2 * high).map(lambda v: v / 2)


def rows(dataset: EventCatalogueEntry, width: int, height: int) -> st.SearchStrategy[list[tuple]]:
    sides = st.sampled_from([0.0, 4.5, 5.0, 9.5, 10.0, 19.5, 20.0, 28.5, 60.0])
    return st.lists(
        st.tuples(
            st.integers(0, 10**6),
            pixels(-40, width + 20),
            pixels(-40, height + 20),
            sides | pixels(-3, width + 60),
            sides | pixels(-3, height + 60),
            st.integers(0, len(dataset.classes) - 1),
            st.integers(0, 99),
            st.just(1.0),
        ),
        max_size=25,
    )


def expected(
    boxes: list[tuple], rules: str, dataset: EventCatalogueEntry, size: tuple[int, int], train: bool
) -> list[tuple]:
    """What is kept, box by box."""
    kept = []
    right, bottom = size if rules == 'clip' else (size[0] - 1, size[1] - 1)
    for t, x, y, w, h, class_id, *rest in boxes:
        x2, y2 = min(max(x + w, 0), right), min(max(y + h, 0), bottom)
        x, y = min(max(x, 0), right), min(max(y, 0), bottom)
        w, h = x2 - x, y2 - y
        if w <= 0 or h <= 0:
            continue
        if rules != 'clip':
            if dataset.name == '1mpx' and class_id > 2:
                continue
            if rules == 'prophesee' or dataset.name == 'gen1':
                side, diagonal = (20, 60) if size[0] == 1280 else (10, 30)
            else:
                side, diagonal = 5, 0
            if min(w, h) < side or (w * w + h * h) < diagonal * diagonal:
                continue
            if train and w > size[0] * 9 // 10:
                continue
        kept.append((t, x, y, w, h, class_id, *rest))
    return kept


@given(st.data(), st.sampled_from(BOX_FILTERS), st.sampled_from(sorted(CATALOGUE)), st.booleans())
def test_filters(data: st.DataObject, rules: str, name: str, train: bool) -> None:
    dataset = CATALOGUE[name]
    drawn = data.draw(rows(dataset, *dataset.size))
    boxes = np.array(drawn, BOX)
    before = boxes.copy()
    box_filter = BoxFilter(rules, dataset, dataset.size, train)
    kept = box_filter(boxes)
    assert kept.dtype == BOX
    assert kept.tolist() == expected(drawn, rules, dataset, dataset.size, train)
    np.testing.assert_array_equal(boxes, before)
    assert sum(map(total, box_filter.dropped.values())) == len(drawn) - len(kept)
    assert all(map(total, box_filter.dropped.values())), 'no reason without boxes'


def test_dropped_boxes_are_counted_by_class_and_size_of_the_label() -> None:
    boxes = np.array(
        [
            (0, 10, 10, 4, 50, 0, 0, 1),
            (0, 10, 10, 4, 4, 1, 0, 1),
            (0, 1300, 10, 20, 20, 1, 0, 1),
            (0, 0, 0, 1280, 720, 5, 0, 1),
            (0, 10, 10, 40, 50, 0, 0, 1),
        ],
        BOX,
    )
    box_filter = BoxFilter('rvt', ETRAM, ETRAM.size, is_train=True)
    for _ in range(2):
        assert len(box_filter(boxes)) == 1
    outside = box_filter.dropped['outside of the frame, or empty']
    assert outside['car'] == {'very tiny': 0, 'tiny': 0, 'small': 2, 'medium': 0, 'large': 0}
    small = box_filter.dropped['too small']
    assert small['pedestrian']['tiny'] == 2 and small['car']['very tiny'] == 2
    assert total(small) == 4
    assert box_filter.dropped['wider than 90 % of the frame']['truck']['large'] == 2


@pytest.mark.parametrize(
    ('rules', 'dataset', 'kept', 'dropped'),
    [
        ('rvt', ETRAM, [(5, 5), (1152, 5)], [(4.5, 5), (5, 4.5), (1152.5, 5)]),
        ('prophesee', ETRAM, [(36, 48), (57, 20)], [(36, 47.5), (19.5, 90), (56, 20)]),
        ('rvt', GEN1, [(18, 24), (273, 10)], [(18, 23.5), (90, 9.5), (273.5, 10)]),
    ],
)
def test_what_is_on_the_limit_is_kept(
    rules: str, dataset: EventCatalogueEntry, kept: list, dropped: list
) -> None:
    boxes = np.array([(0, 1, 1, w, h, 1, 0, 1) for w, h in kept + dropped], BOX)
    found = BoxFilter(rules, dataset, dataset.size, is_train=True)(boxes)
    assert list(zip(found['w'].tolist(), found['h'].tolist(), strict=True)) == kept


@pytest.mark.parametrize('kind', ['<i2', '<u2', '<i4', '<f8'])
def test_pixels_may_be_integers(kind: str) -> None:
    """256 x 20 px: the square does not fit into 16 bits."""
    fields = [(name, kind if name in 'xywh' else BOX[name]) for name in BOX.names]
    boxes = np.array([(0, 1200, 400, 80, 256, 1, 0, 1), (0, 5, 5, 256, 20, 1, 0, 1)], fields)
    kept = BoxFilter('prophesee', ETRAM, ETRAM.size, is_train=False)(boxes)
    assert [kept[name].tolist() for name in 'xywh'] == [[1200, 5], [400, 5], [79, 256], [256, 20]]


def test_limits_of_the_protocol() -> None:
    assert [prophesee_limits(w) for w in (1280, 640, 304)] == [(20, 60), (10, 30), (10, 30)]


def test_names_of_sizes() -> None:
    sides = [(8, 7.9), (8, 8), (16, 16), (32, 31), (32, 32), (95, 97), (96, 96), (500, 500)]
    boxes = np.array([(0, 0, 0, w, h, i % 2, 0, 1) for i, (w, h) in enumerate(sides)], BOX)
    counts = count_boxes(boxes, GEN1.classes)
    assert list(counts) == ['car', 'pedestrian']
    assert all(list(row) == list(SIZES) for row in counts.values())
    assert list(counts['car'].values()) == [1, 0, 1, 1, 1]
    assert list(counts['pedestrian'].values()) == [0, 1, 1, 1, 1]


class TestReadBoxes:
    def save(self, folder: Path, boxes: np.ndarray) -> Path:
        np.save(folder / 'a_bbox.npy', boxes)
        return folder / 'a_bbox.npy'

    def test_sorted_by_time_and_other_fields_stay(self, tmp_path: Path) -> None:
        given_rows = [(t, *ROW[1:6], i, 1.0) for i, t in enumerate([5, 3, 5, 3, 9])]
        boxes = read_boxes(self.save(tmp_path, np.array(given_rows, BOX)), ETRAM.classes)
        assert boxes.dtype == BOX
        assert boxes['track_id'].tolist() == [1, 3, 0, 2, 4], 'in order where times are equal'

    def test_time_field_of_old_gen1_files(self, tmp_path: Path) -> None:
        old = np.dtype([('ts' if name == 't' else name, BOX[name]) for name in BOX.names])
        boxes = read_boxes(self.save(tmp_path, np.array([ROW], old)), GEN1.classes)
        assert boxes.dtype == BOX and boxes.tolist() == [ROW]

    @pytest.mark.parametrize('field', ['t', 'x', 'y', 'w', 'h', 'class_id'])
    def test_a_missing_field(self, tmp_path: Path, field: str) -> None:
        fields = np.dtype([(name, BOX[name]) for name in BOX.names if name != field])
        path = self.save(tmp_path, np.zeros(2, fields))
        with pytest.raises(UserError, match=rf"a_bbox.npy: labels have no field '{field}'"):
            read_boxes(path, ETRAM.classes)

    @pytest.mark.parametrize('class_id', [8, -1])
    def test_an_unknown_class(self, tmp_path: Path, class_id: int) -> None:
        signed = np.dtype([(n, '<i4' if n == 'class_id' else BOX[n]) for n in BOX.names])
        bad = (*ROW[:5], class_id, *ROW[6:])
        path = self.save(tmp_path, np.array([ROW, bad], signed))
        with pytest.raises(UserError, match=rf'a_bbox.npy: class_id {class_id}, .*--dataset'):
            read_boxes(path, ETRAM.classes)

    def test_no_labels(self, tmp_path: Path) -> None:
        assert len(read_boxes(self.save(tmp_path, np.zeros(0, BOX)), ETRAM.classes)) == 0

    def test_files_that_are_none(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r'a_bbox.npy is missing'):
            read_boxes(tmp_path / 'a_bbox.npy', ETRAM.classes)
        whole = self.save(tmp_path, np.array([ROW] * 20, BOX)).read_bytes()
        np.savez(tmp_path / 'archive.npz', a=np.zeros(3))
        pickled = np.array([None, {}], object)
        np.save(tmp_path / 'pickled.npy', pickled, allow_pickle=True)
        header = whole.index(b'descr')
        for content in (
            b'',
            b'no numpy file',
            whole[:5],
            whole[:40],
            whole[:-10],
            whole[:header] + b'((((' + whole[header + 4 :],
            (tmp_path / 'archive.npz').read_bytes(),
            (tmp_path / 'archive.npz').read_bytes()[:60],
            (tmp_path / 'pickled.npy').read_bytes(),
        ):
            (tmp_path / 'a_bbox.npy').write_bytes(content)
            with pytest.raises(UserError, match=r'a_bbox\.npy'):
                read_boxes(tmp_path / 'a_bbox.npy', ETRAM.classes)
        for array in (np.zeros(5), np.zeros((2, 2), BOX), np.zeros((), BOX)):
            with pytest.raises(UserError, match=r'a_bbox\.npy'):
                read_boxes(self.save(tmp_path, array), ETRAM.classes)
