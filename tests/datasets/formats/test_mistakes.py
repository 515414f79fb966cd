"""A wrong folder, file or line ends in one message with the place and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from abc_mmdet.datasets.formats import DataSet, Options, read_folder, write_splits
from abc_mmdet.errors import UserError

from . import writers
from .writers import Picture, Thing, draw

PICTURES = [Picture('a', 60, 50, (Thing('car', 1, 2, 8, 9),)), Picture('b', 60, 50, ())]


def message(root: Path, name: str | None = None, **options: object) -> str:
    with pytest.raises(UserError) as stop:
        read_folder(root, name, Options(**options))  # type: ignore[arg-type]
    return str(stop.value)


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    writers.yolo(tmp_path / 'mine', {'train': PICTURES})
    return tmp_path / 'mine'


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        ('3 0.5 0.5 0.1 0.1', 'a class that data.yaml does not have: it has 3, numbered from 0'),
        ('-1 0.5 0.5 0.1 0.1', 'a class that data.yaml does not have'),
        ('0 30 20 5 5', 'outside of 0 to 1: YOLO gives them as shares'),
        ('0 0.5 0.5 0.1', 'are not "class x y width height"'),
        ('0 0.5 nan 0.1 0.1', 'are not "class x y width height"'),
        ('car 0.5 0.5 0.1 0.1', 'are not "class x y width height"'),
        ('0 0.5 0.5 0.1 0.1 0.9', 'six columns, as predictions with a score'),
        ('0 0.5 0.5 0.1 0.1 0.9 0.1 0.2', 'nor a class and the corners of a polygon'),
    ],
)
def test_lines_of_yolo(yolo: Path, line: str, said: str) -> None:
    (yolo / 'labels/train/a.txt').write_text(f'0 0.5 0.5 0.1 0.1\n{line}\n')
    found = message(yolo)
    assert said in found and f'labels/train/a.txt:2: {line}' in found
    assert 'was not converted from YOLO, and nothing was written' in found


def test_all_mistakes_are_in_one_message(yolo: Path) -> None:
    lines = '\n'.join(['9 0.5 0.5 0.1 0.1'] * 7 + ['x'])
    (yolo / 'labels/train/a.txt').write_text(lines)
    (yolo / 'labels/train/gone.txt').write_text('0 0.5 0.5 0.1 0.1')
    (yolo / 'images/train/b.png').write_bytes(b'no image')
    found = message(yolo)
    assert '7 lines have a class' in found and 'and 2 more' in found
    assert 'a.txt:8: x' in found and 'labels/train/gone.txt' in found
    assert 'images/train/b.png' in found and 'cannot be read' in found


@pytest.mark.parametrize(
    ('yaml', 'said'),
    [
        ('train: images/train\nnames: {1: a, 2: b}', r'numbers \[1, 2\].*0, 1, 2'),
        ('train: images/train\nnames: [a, a]', "the class 'a' twice"),
        ('train: images/train\nnames: [yes, b]', 'class 0 is True; write it in quotes'),
        ('train: images/train\nnames: [a]\nnc: 2', 'nc is 2, but there are 1 names'),
        ('train: images/train\nnames: a.names', "names is 'a.names'"),
        ('train: ../../elsewhere\nnames: [a]', r'train: \.\./\.\./elsewhere'),
        ('train: images/train\nnames: [a\n', 'cannot be read as YAML'),
    ],
)
def test_data_yaml(yolo: Path, yaml: str, said: str) -> None:
    (yolo / 'data.yaml').write_text(yaml)
    with pytest.raises(UserError, match=f'(?s){said}'):
        read_folder(yolo)


def test_labels_without_a_list_of_classes(yolo: Path) -> None:
    (yolo / 'data.yaml').unlink()
    assert 'no list of their classes: add a data.yaml' in message(yolo)


def test_labels_that_are_nowhere(yolo: Path) -> None:
    (yolo / 'labels').rename(yolo / 'label')
    assert 'no label file for any of their images' in message(yolo)


def test_folders_of_no_or_several_formats(yolo: Path, tmp_path: Path) -> None:
    writers.cvat(yolo, {'val': PICTURES})
    found = message(yolo)
    assert 'several formats' in found and '--format NAME' in found
    assert 'yolo        data.yaml' in found and 'instances_val.json' in found
    assert read_folder(yolo, 'coco').format == 'coco'
    empty = tmp_path / 'empty'
    draw(empty / 'a.png', 9, 9)
    assert 'no format that is known here (it has a.png)' in message(empty)
    assert 'nothing of the format Pascal VOC' in message(yolo, 'voc')
    assert 'There is no folder' in message(tmp_path / 'gone')


@pytest.mark.parametrize(
    ('old', 'new', 'said'),
    [
        ('<xmax>9</xmax>', '<xmax>0</xmax>', 'end before they begin'),
        ('<xmax>9</xmax>', '', 'no bndbox with the numbers'),
        ('<xmax>9</xmax>', '<xmax>wide</xmax>', 'no bndbox with the numbers'),
        ('<width>60</width>', '<width>50</width>', 'a.xml: 50x50, JPEGImages/a.png is 60x50'),
        ('</annotation>', '', 'not XML, or cut off'),
        ('<annotation>', '<!DOCTYPE a [<!ENTITY b "c">]><annotation>', 'define entities'),
        ('annotation>', 'other>', 'whose first element is annotation'),
    ],
    ids=['order', 'missing', 'text', 'size', 'cut', 'entity', 'other'],
)
def test_pascal_voc(tmp_path: Path, old: str, new: str, said: str) -> None:
    writers.voc(tmp_path, {'train': PICTURES})
    path = tmp_path / 'Annotations' / 'a.xml'
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    found = message(tmp_path, 'voc')
    assert said in found and 'Annotations/a.xml' in found


def test_classes_that_were_not_asked_for(tmp_path: Path) -> None:
    writers.voc(tmp_path, {'train': PICTURES})
    found = message(tmp_path, classes=['van'])
    assert "a.xml: object 1 (car): 'car'" in found and 'the list of classes (van)' in found


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        ('1,2,3,4,1,12,0,0', 'a category that VisDrone does not have (0 to 11)'),
        ('1,2,3,4,1,1,0', 'are not "x,y,width,height,score'),
        ('1,2,x,4,1,1,0,0', 'are not "x,y,width,height,score'),
        ('1,7,1,2,3,4,1,1,0,0', 'ten columns, those of VisDrone-VID and -MOT'),
    ],
)
def test_visdrone(tmp_path: Path, line: str, said: str) -> None:
    draw(tmp_path / 'images' / 'a.jpg', 60, 50)
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations' / 'a.txt').write_text(f'1,2,3,4,1,1,0,0\n{line}\n')
    found = message(tmp_path)
    assert said in found and f'annotations/a.txt:2: {line}' in found


def change_coco(**changes: object) -> Callable[[dict], None]:
    return lambda content: content['annotations'][0].update(changes)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (change_coco(image_id=77), 'annotations[0] (id 0): image_id 77, category_id 1'),
        (change_coco(category_id=9), 'image_id 10, category_id 9'),
        (change_coco(bbox='x'), "annotations[0] (id 0): bbox 'x'"),
        (lambda c: c['images'][0].update(width=61), 'a.png: 61x50, images/train/a.png is 60x50'),
        (lambda c: c['images'][0].update(file_name='c.png'), 'instances_train.json: c.png'),
        (
            lambda c: c['images'][0].update(file_name='val/a.png'),
            'whose image is not in the folder',
        ),
    ],
    ids=['image', 'category', 'box', 'size', 'missing', 'other-folder'],
)
def test_coco(tmp_path: Path, change: Callable[[dict], None], said: str) -> None:
    writers.cvat(tmp_path, {'train': PICTURES})
    path = tmp_path / 'annotations' / 'instances_train.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    assert said in message(tmp_path)


def test_labelme(tmp_path: Path) -> None:
    writers.labelme(tmp_path, {'train': PICTURES})
    path = tmp_path / 'train' / 'a.json'
    content = json.loads(path.read_text())
    content['shapes'] += [dict(label='truck', points=[[1, 1], [2, 2]], shape_type='rectangle')]
    content['shapes'] += [dict(label='car', points=[[1, 1]], shape_type='rectangle')]
    path.write_text(json.dumps(content))
    (tmp_path / 'train' / 'other.json').write_text('{}')
    found = message(tmp_path)
    assert "train/a.json: shapes[1]: 'truck'" in found
    assert "train/a.json: shapes[2]: 'car', 'rectangle'" in found
    assert "are not LabelMe's" in found and 'train/other.json' in found


def test_turned_images_are_measured_as_they_are_read(tmp_path: Path) -> None:
    """A mark of the camera turns an image; YOLO's shares are of the turned one, as read."""
    writers.yolo(tmp_path / 'yolo', {'train': PICTURES[:1]})
    image = Image.new('RGB', (60, 50))
    exif = image.getexif()
    exif[0x0112] = 6
    (tmp_path / 'yolo/images/train/a.png').unlink()
    image.save(tmp_path / 'yolo/images/train/a.jpg', exif=exif)
    assert read_folder(tmp_path / 'yolo').splits['train'][0].size == (50, 60)
    writers.cvat(tmp_path / 'cvat', {'train': PICTURES[:1]})
    image.save(tmp_path / 'cvat/images/train/a.png', exif=exif)
    assert 'is 50x60 (its orientation mark, EXIF, turns it)' in message(tmp_path / 'cvat')


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    data = DataSet('yolo', 'YOLO', ('a',), {'train': [], 'val': []})
    (tmp_path / 'val.json').mkdir()
    (tmp_path / 'val.json' / 'x').touch()
    paths = {split: tmp_path / f'{split}.json' for split in data.splits}
    with pytest.raises(UserError, match='cannot write'):
        write_splits(data, tmp_path, paths)
    assert [path.name for path in tmp_path.iterdir()] == ['val.json']
