"""A miniature of each data set in its own layout, and what is made of its marks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from abc_mmdet.datasets.formats import FORMATS, Options, as_coco, read_folder, summary
from abc_mmdet.datasets.formats.coco_data_sets import SODA_D
from abc_mmdet.datasets.formats.soda_a import CLASSES as SODA_A
from abc_mmdet.datasets.formats.visdrone import CLASSES as VISDRONE
from abc_mmdet.errors import UserError

from .writers import draw

WIDTH, HEIGHT = 64, 48


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def boxes(root: Path, split: str, name: str | None = None) -> list[tuple]:
    """Class, box, and why it is ignored; of COCO, so that regions are there for every class."""
    data = read_folder(root, name)
    content = as_coco(data.splits[split], data.classes, root)
    names = {c['id']: c['name'] for c in content['categories']}
    for a in content['annotations']:
        assert a['iscrowd'] == ('ignored_because' in a) and not a.get('ignore')
    return [
        (names[a['category_id']], a['bbox'], a.get('ignored_because', ''))
        for a in content['annotations']
    ]


def visdrone(root: Path, split: str = 'train', lines: str = '') -> Path:
    folder = root / f'VisDrone2019-DET-{split}'
    draw(folder / 'images' / '0000001_1.jpg', WIDTH, HEIGHT)
    write(folder / 'annotations' / '0000001_1.txt', lines)
    return folder


def test_visdrone(tmp_path: Path) -> None:
    lines = '1,2,10,12,1,4,0,0\n3,4,5,6,0,1,0,2,\n8,8,20,20,0,0,0,0\n9,9,4,4,0,11,0,0\n'
    lines += '7,7,0,3,1,1,0,0\n'
    visdrone(tmp_path, lines=lines)
    visdrone(tmp_path, 'val', '')
    visdrone(tmp_path, 'test-dev', '1,1,2,2,1,10,0,0')
    draw(tmp_path / 'VisDrone2019-DET-test-challenge' / 'images' / 'x.jpg', WIDTH, HEIGHT)
    assert boxes(tmp_path, 'train') == [
        ('car', [1, 2, 10, 12], ''),
        ('pedestrian', [3, 4, 5, 6], 'score 0'),
        *[(name, [8, 8, 20, 20], 'ignored region') for name in VISDRONE],
        *[(name, [9, 9, 4, 4], 'others') for name in VISDRONE],
    ]
    data = read_folder(tmp_path)
    assert data.splits['val'][0].boxes == () and data.splits['test'][0].boxes[0].label == 'motor'
    assert data.skipped == {
        'boxes without width or height': 1,
        'images without an annotation file': 1,
    }
    said = '\n'.join(summary(data))
    assert 'VisDrone-DET, 10 classes: pedestrian, people,' in said
    assert 'train: 1 image, 1 box, 3 ignored (1 score 0, 1 ignored region, 1 others)' in said
    assert 'skipped: 1 boxes without width or height, 1 images without' in said


def test_one_split_of_visdrone_is_enough(tmp_path: Path) -> None:
    assert list(read_folder(visdrone(tmp_path, 'val', '1,2,3,4,1,1,0,0')).splits) == ['val']


def test_soda_d(tmp_path: Path) -> None:
    draw(tmp_path / 'Images' / '00001.jpg', WIDTH, HEIGHT)
    categories = [dict(id=i, name=n) for i, n in enumerate((*SODA_D, 'ignore'), 1)]
    annotations = [
        dict(id=i, image_id=1, category_id=c, bbox=[4 * i, 2, 3, 5], area=15, iscrowd=0)
        for i, c in enumerate((1, 10), 1)
    ]
    image = dict(id=1, file_name='00001.jpg', width=WIDTH, height=HEIGHT)
    content = dict(images=[image], annotations=annotations, categories=categories)
    write(tmp_path / 'Annotations' / 'train.json', content)
    write(tmp_path / 'Annotations' / 'train_wo_ignore.json', content)
    assert read_folder(tmp_path).format == 'soda-d'
    assert boxes(tmp_path, 'train') == [
        ('people', [4, 2, 3, 5], ''),
        *[(name, [8, 2, 3, 5], 'ignore') for name in SODA_D],
    ]


@pytest.mark.parametrize('layout', ['{what}/train/{name}', 'rawData/train/{what}/{name}'])
def test_soda_a(layout: str, tmp_path: Path) -> None:
    draw(tmp_path / layout.format(what='Images', name='00010.jpg'), WIDTH, HEIGHT)
    polygons = [[10, 4, 14, 8, 10, 12, 6, 8], [1, 1, 9, 1, 9, 5, 1, 5]]
    content = dict(
        images=dict(file_name='00010.jpg', width=WIDTH, height=HEIGHT, id=10),
        annotations=[
            dict(poly=poly, category_id=category, area=1, id=0, image_id=10)
            for poly, category in zip(polygons, (2, 9), strict=True)
        ],
        categories=[dict(id=i, name=n) for i, n in enumerate((*SODA_A, 'ignore'))],
    )
    write(tmp_path / layout.format(what='Annotations', name='00010.json'), content)
    assert boxes(tmp_path, 'train') == [
        ('small-vehicle', [6, 4, 8, 8], ''),
        *[(name, [1, 1, 8, 4], 'ignore') for name in SODA_A],
    ]
    assert 'oriented boxes became the upright box around them' in summary(read_folder(tmp_path))


def tiny_person(root: Path) -> dict:
    """``tiny_set/``, with an erased copy of the same image."""
    for place in ('train', 'erase_with_uncertain_dataset/train'):
        draw(root / place / 'labeled_images' / 'bb_V0032.jpg', WIDTH, HEIGHT)
    marks = ('ignore', 'uncertain', 'logo', 'in_dense_image')
    annotations = [
        dict(
            segmentation=[],
            bbox=[2.5 + i, 3, 4, 5],
            category_id=1 + i % 2,
            area=20,
            iscrowd=0,
            image_id=0,
            id=i,
            **{mark: mark == own for mark in marks},
        )
        for i, own in enumerate(('', *marks, ''))
    ]
    image = dict(file_name='labeled_images/bb_V0032.jpg', height=HEIGHT, width=WIDTH, id=0)
    categories = [
        dict(id=i, name=f'{where}_person', supercategory='person')
        for i, where in enumerate(('sea', 'earth'), 1)
    ]
    return dict(type='instance', images=[image], annotations=annotations, categories=categories)


def test_tiny_person(tmp_path: Path) -> None:
    content = tiny_person(tmp_path)
    write(tmp_path / 'annotations' / 'tiny_set_train.json', content)
    write(tmp_path / 'annotations' / 'tiny_set_train_with_dense.json', content)
    write(tmp_path / 'erase_with_uncertain_dataset/annotations/tiny_set_train.json', content)
    reasons = ['', 'ignore', 'uncertain', 'logo', 'in_dense_image', '']
    assert boxes(tmp_path, 'train') == [
        ('person', [2.5 + i, 3, 4, 5], why) for i, why in enumerate(reasons)
    ]
    data = read_folder(tmp_path)
    assert data.classes == ('person',) and data.format == 'tinyperson'
    assert data.splits['train'][0].path == tmp_path / 'train' / 'labeled_images' / 'bb_V0032.jpg'


def test_tiny_person_cut_on_paper_is_refused(tmp_path: Path) -> None:
    content = tiny_person(tmp_path)
    content['images'][0]['corner'] = [0, 0, 640, 512]
    write(tmp_path / 'annotations' / 'task' / 'tiny_set_train_all.json', content)
    with pytest.raises(UserError, match=r'field "corner".*tiny_set_train\.json'):
        read_folder(tmp_path)


def test_rotated_boxes_and_ignore_of_cvat(tmp_path: Path) -> None:
    draw(tmp_path / 'images' / 'default' / 'a.png', WIDTH, HEIGHT)
    entries = [
        dict(bbox=[10, 10, 8, 4], attributes=dict(occluded=False, rotation=90.0)),
        dict(bbox=[10, 10, 8, 4], attributes=dict(occluded=False, rotation=0.0)),
        dict(bbox=[20, 10, 8, 4], ignore=1),
        dict(bbox=[20, 20, 8, 4], iscrowd=1),
    ]
    annotations = [
        dict(dict(id=i, image_id=1, category_id=1, area=30, segmentation=[], iscrowd=0), **entry)
        for i, entry in enumerate(entries)
    ]
    image = dict(id=1, file_name='a.png', width=WIDTH, height=HEIGHT)
    categories = [dict(id=1, name='car', supercategory='')]
    content = dict(images=[image], annotations=annotations, categories=categories)
    write(tmp_path / 'annotations' / 'instances_default.json', content)
    data = read_folder(tmp_path)
    found = [(b.xywh, b.ignored, b.area) for b in data.splits['all'][0].boxes]
    assert [pytest.approx(value) for value in found[0][0]] == [12, 8, 4, 8]
    assert found[1:] == [
        ((10, 10, 8, 4), '', 30),
        ((20, 10, 8, 4), 'ignore', 30),
        ((20, 20, 8, 4), 'iscrowd', 30),
    ]
    assert found[0][2] is None and any('rotated boxes' in note for note in data.notes)


def test_labelme_groups_shapes_and_ignores_regions(tmp_path: Path) -> None:
    draw(tmp_path / 'a.png', WIDTH, HEIGHT)
    draw(tmp_path / 'unlabelled.png', WIDTH, HEIGHT)

    def shape(label: str, kind: str, *points: list[float], group: int | None = None) -> dict:
        return dict(label=label, points=points, group_id=group, shape_type=kind, flags={})

    shapes = [
        shape('van', 'rectangle', [9, 8], [3, 2]),
        shape('bus', 'polygon', [1, 1], [5, 1], [3, 4], group=7),
        shape('bus', 'polygon', [10, 9], [12, 9], [11, 12], group=7),
        shape('van', 'circle', [20, 20], [23, 24]),
        shape('van', 'point', [1, 1]),
        shape('__ignore__', 'rectangle', [30, 30], [40, 45]),
        shape('_background_', 'rectangle', [0, 0], [9, 9]),
    ]
    content = dict(
        shapes=shapes, imagePath='..\\a.png', imageWidth=WIDTH, imageHeight=HEIGHT, imageData=None
    )
    write(tmp_path / 'a.json', content)
    region = [30, 30, 10, 15]
    assert boxes(tmp_path, 'all') == [
        ('van', [3, 2, 6, 6], ''),
        ('bus', [1, 1, 11, 11], ''),
        ('van', [15, 15, 10, 10], ''),
        ('bus', region, '__ignore__'),
        ('van', region, '__ignore__'),
    ]
    assert read_folder(tmp_path).skipped == {
        'points and lines': 1,
        'shapes of _background_': 1,
        'images without an annotation file': 1,
    }


YAML = {
    'list': 'train: images/train\nval: images/val\nnc: 2\nnames: [car, van]\n',
    'dict': 'path: .\ntrain: images/train\nval: images/val\nnames: {0: car, 1: van}\n',
    'roboflow': 'train: ../images/train\nval: ../images/val\nnames:\n- car\n- van\n',
    'elsewhere': 'path: /home/me/x\ntrain: images/train/\nval: [images/val]\nnames: [car, van]\n',
    'lists': 'train: train.txt\nval: ./images/val\nnames: [car, van]\n',
}


@pytest.mark.parametrize('kind', list(YAML))
def test_yolo_as_its_tools_write_it(kind: str, tmp_path: Path) -> None:
    for split in ('train', 'val'):
        draw(tmp_path / 'images' / split / f'{split}.jpg', 100, 50)
        draw(tmp_path / 'images' / split / 'empty.jpg', 100, 50)
        lines = '1 0.5 0.5 0.2 0.4\n0 0.1 0.2 0.3 0.2 0.2 0.6\n\n'
        write(tmp_path / 'labels' / split / f'{split}.txt', lines)
    write(tmp_path / 'data.yaml', YAML[kind])
    write(tmp_path / 'train.txt', './images/train/train.jpg\n/else/images/train/empty.jpg\n')
    for given in (tmp_path, tmp_path / 'data.yaml'):
        data = read_folder(given)
        assert data.classes == ('car', 'van')
        assert {s: len(images) for s, images in data.splits.items()} == {'train': 2, 'val': 2}
        (found,) = (image.boxes for image in data.splits['train'] if image.boxes)
        assert [box.label for box in found] == ['van', 'car']
        assert found[0].xywh == pytest.approx((40, 15, 20, 20))
        assert found[1].xywh == pytest.approx((10, 10, 20, 20))
    assert any('2 lines are polygons' in note for note in data.notes)


def test_yolo_with_a_list_of_classes_and_keypoints(tmp_path: Path) -> None:
    draw(tmp_path / 'a.jpg', 100, 50)
    write(tmp_path / 'a.txt', '1 0.5 0.5 0.2 0.4\n')
    write(tmp_path / 'classes.txt', 'car\nvan\n')
    assert boxes(tmp_path, 'all') == [('van', pytest.approx([40, 15, 20, 20]), '')]
    write(tmp_path / 'a.txt', '1 0.5 0.5 0.2 0.4 0.5 0.5 2 0.4 0.4 1\n')
    write(tmp_path / 'data.yaml', 'train: .\nnames: [car, van]\nkpt_shape: [2, 3]\n')
    assert boxes(tmp_path, 'train') == [('van', pytest.approx([40, 15, 20, 20]), '')]


VOC = """<annotation><filename>renamed.png</filename><source><database>{source}</database></source>
<size><width>64</width><height>48</height></size><object><name>dog</name>
<bndbox><xmin>{x}</xmin><ymin>3</ymin><xmax>9</xmax><ymax>8</ymax></bndbox><part><name>head</name>
<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></part>
</object></annotation>"""


@pytest.mark.parametrize(
    ('source', 'x', 'given', 'box'),
    [
        ('The VOC2007 Database', 1, None, (0, 2, 9, 6)),
        ('The VOC2007 Database', 0, None, (0, 3, 9, 5)),
        ('Unknown', 1, None, (1, 3, 8, 5)),
        ('Unknown', 1, 1, (0, 2, 9, 6)),
    ],
    ids=['own', 'own-with-0', 'labelimg', 'as-said'],
)
def test_first_pixel_of_pascal_voc(
    source: str, x: int, given: int | None, box: tuple, tmp_path: Path
) -> None:
    draw(tmp_path / 'train' / 'a.png', WIDTH, HEIGHT)
    write(tmp_path / 'train' / 'a.xml', VOC.format(source=source, x=x))
    data = read_folder(tmp_path, options=Options(first_pixel=given))
    assert [b.xywh for b in data.splits['train'][0].boxes] == [box]
    assert f'pixels are numbered from {box[1] != 3:d}' in data.notes[0]


def test_every_format_says_what_it_looks_like() -> None:
    assert len(FORMATS) == 9
    assert all(reader.layout and reader.title and reader.__doc__ for reader in FORMATS.values())


def test_the_page_lists_the_formats() -> None:
    text = (Path(__file__).parents[3] / 'docs' / 'data_formats.md').read_text()
    assert re.findall(r'^\| `([a-z][\w-]*)` \|', text, re.M) == list(FORMATS)


def test_trainval_of_ai_tod_is_read_where_its_parts_are_not(tmp_path: Path) -> None:
    for split, name in (('trainval', 'a'), ('test', 'b')):
        draw(tmp_path / split / 'images' / f'{name}.png', WIDTH, HEIGHT)
        image = dict(id=1, file_name=f'{name}.png', width=WIDTH, height=HEIGHT)
        box = dict(id=1, image_id=1, category_id=1, bbox=[1, 2, 3, 4], area=12, iscrowd=0)
        content = dict(images=[image], annotations=[box], categories=[dict(id=1, name='ship')])
        write(tmp_path / 'annotations' / f'aitodv2_{split}.json', content)
    assert set(read_folder(tmp_path).splits) == {'train', 'test'}
    for split in ('train', 'val'):
        content['images'][0]['file_name'] = 'a.png'
        write(tmp_path / 'annotations' / f'aitodv2_{split}.json', content)
    found = read_folder(tmp_path).splits
    assert {split: images[0].path.stem for split, images in found.items()} == {
        'train': 'a',
        'val': 'a',
        'test': 'b',
    }


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root = tmp_path / 'mine'
    draw(root / 'train' / 'images' / 'a.jpg', 100, 50)
    write(root / 'train' / 'labels' / 'a.txt', '0 0.5 0.5 0.2 0.4\n')
    write(root / 'data.yaml', 'train: train/images\nval: again/images\nnames: [car]\n')
    for link, target in (('again', 'train'), ('train/up', '.'), ('out', '..'), ('bad', 'gone')):
        (root / link).symlink_to(root / target)
    splits = read_folder(root).splits
    assert [len(images) for images in splits.values()] == [1, 1]
    assert splits['val'][0].path == root / 'again' / 'images' / 'a.jpg'
