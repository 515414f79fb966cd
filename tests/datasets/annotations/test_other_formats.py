"""Annotations of other formats are recognised, and the way out is named."""

import gzip
from pathlib import Path

import pytest

from abc_mmdet.datasets.annotations.coco_file import CocoFile
from abc_mmdet.errors import UserError

YOLO = '0 0.5 0.5 0.25 0.125\n1 0.1 0.2 0.3 0.4\n'
VOC = '<annotation><filename>a.jpg</filename></annotation>'


@pytest.mark.parametrize(
    ('name', 'content', 'given', 'said'),
    [
        ('labels/a.txt', YOLO, 'labels', 'YOLO.*to_coco.py FOLDER'),
        ('labels/a.txt', YOLO, 'labels/a.txt', 'YOLO.*to_coco.py FOLDER'),
        (
            'data.yaml',
            'train: images/train\nnames: [a, b]\n',
            'data.yaml',
            'YOLO.*to_coco.py FOLDER',
        ),
        ('train.txt', 'images/a.jpg\nimages/b.jpg\n', 'train.txt', 'YOLO.*to_coco.py FOLDER'),
        ('xml/a.xml', VOC, 'xml', 'Pascal VOC.*to_coco.py FOLDER'),
        ('xml/a.xml', VOC, 'xml/a.xml', 'Pascal VOC.*to_coco.py FOLDER'),
        ('a.json', '[1, 2', 'a.json', 'is not JSON, or was cut off'),
        ('folder/a.bin', 'x', 'folder', 'is a folder; give an annotation file in COCO format'),
        ('a.json', '{}', 'b\\\\a.json', 'No such file.*It has backslashes'),
    ],
)
def test_what_to_do(
    name: str, content: str, given: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=f'(?s){said}'):
        CocoFile.read(given)


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'\xef\xbb\xbf{}', 'byte order mark .BOM.: save it as UTF-8 without one'),
        ('{}'.encode('utf-16'), 'is in UTF-16: save it as UTF-8'),
        (gzip.compress(b'{}', mtime=0), 'is packed: unpack it with gunzip'),
    ],
)
def test_json_in_another_form(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        CocoFile.read(str(path))


def test_numbers_nothing_can_count_with_are_malformed(tmp_path: Path) -> None:
    large = 10**400
    (tmp_path / 'a.json').write_text(
        f'{{"images": [{{"id": {large}, "file_name": "a", "width": {large}, "height": 9}}],'
        f'"annotations": [{{"id": 1, "image_id": {large}, "category_id": 1, "area": {large},'
        f'"bbox": [0, 0, {large}, 5]}}], "categories": [{{"id": {large}, "name": "a"}}]}}'
    )
    file = CocoFile.read(str(tmp_path / 'a.json'))
    assert len(file.malformed) == 3
    assert not len(file.boxes.xyxy)
