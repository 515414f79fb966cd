"""Data sets of small objects whose files are COCO's, with marks and layouts of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from abc_mmdet.datasets.annotations.coco_file import CocoFile
from abc_mmdet.errors import UserError

from .base import DataSet, Options
from .coco import Coco
from .folder import Folder

_TINY_FILES = (
    'annotations/task/tiny_set_{}_all.json',
    'annotations/tiny_set_{}.json',
    'mini_annotations/tiny_set_{}_all.json',
)
"""From the one that the evaluation is on to others of the same images."""

SODA_D = (
    'people',
    'rider',
    'bicycle',
    'motor',
    'vehicle',
    'traffic-sign',
    'traffic-light',
    'traffic-camera',
    'warning-cone',
)
"""Classes of SODA-D; its category ``ignore`` is none."""


class AiTod(Coco):
    """AI-TOD (Wang et al., 2021) and AI-TOD-v2: COCO files named ``aitod*``.

    ``annotations/aitod_training_v1.json`` and the like; images in ``images/SPLIT``, ``SPLIT`` or
    ``SPLIT/images``, or all in ``trainval``. A file of both, ``trainval``, is left out where those
    of its parts are there.

    Examples:
        >>> AiTod.name
        'ai-tod'
    """

    name: ClassVar[str] = 'ai-tod'
    title: ClassVar[str] = 'AI-TOD'
    layout: ClassVar[str] = 'annotations/aitod*_train*.json, images in train/ or images/train/'

    def files(self, folder: Folder) -> list[Path]:
        named = [p for p in folder.json_files if p.name.lower().startswith('aitod')]
        parts = [path for path in named if 'trainval' not in path.stem]
        splits = {folder.split_of(path, by_file=True) for path in parts}
        return parts if {'train', 'val'} <= splits else named

    def near(self, folder: Folder, split: str) -> list[Path]:
        root, names = folder.root, [split, 'trainval']
        if split == 'test':
            names.remove('trainval')
        places = [place for name in names for place in (root / 'images' / name, root / name)]
        return [p for place in places for p in (place, place / 'images')] + [root / 'images']


class TinyPerson(Coco):
    """TinyPerson (Yu et al., 2020), by the rules of its `benchmark
    <https://github.com/ucas-vg/PointTinyBenchmark>`_.

    Persons on land and in the sea are one class, ``person``. What is marked ``ignore`` (crowds,
    reflections), ``uncertain``, ``logo`` or ``in_dense_image`` is ignored: in its evaluation it
    counts neither way, and its training erases it or leaves such images out. Files that cut
    images on paper (``corner``, the region of an image that an entry stands for) are refused, as
    MMDetection would read the whole image with the boxes of a part; slices are cut in training.

    Examples:
        >>> TinyPerson().why_ignored(dict(iscrowd=0, ignore=False, uncertain=True))
        'uncertain'
    """

    name: ClassVar[str] = 'tinyperson'
    title: ClassVar[str] = 'TinyPerson'
    layout: ClassVar[str] = 'annotations/tiny_set_train.json, images in train/ and test/'

    marks: ClassVar[tuple[str, ...]] = ('iscrowd', 'ignore', 'uncertain', 'logo', 'in_dense_image')

    def files(self, folder: Folder) -> list[Path]:
        found = []
        for split in ('train', 'test'):
            places = (folder.root / name.format(split) for name in _TINY_FILES)
            found += [path for path in places if path.is_file()][:1]
        if found:
            return found
        # Someone may give a file by itself beside its images
        return [p for p in folder.json_files if p.name.startswith('tiny_set_')]

    def read(self, folder: Folder, options: Options) -> DataSet:
        for path in self.files(folder):
            content = folder.json(path)
            images = content.get('images', []) if isinstance(content, dict) else []
            if any(isinstance(image, dict) and 'corner' in image for image in images):
                raise UserError(
                    f'{path} cuts its images on paper: its entries have the field "corner". Give '
                    'the file of whole images, annotations/tiny_set_train.json or '
                    'annotations/task/tiny_set_train_all.json; slices are cut in training '
                    '(docs/big_images.md).'
                )
        data = super().read(folder, options)
        data.notes.append('persons on land and in the sea are one class, as in its evaluation')
        return data

    def class_name(self, category: dict) -> str | None:
        is_person = category.get('supercategory') == 'person'
        return 'person' if is_person else category['name']

    def why_ignored(self, annotation: dict) -> str:
        return next((mark for mark in self.marks if annotation.get(mark)), '')

    def near(self, folder: Folder, split: str) -> list[Path]:
        return [folder.root / split, folder.root / split / 'labeled_images']


class SodaD(Coco):
    """SODA-D (Cheng et al., 2023): ``Annotations/{train,val,test}.json`` and ``Images/``.

    Boxes of its category ``ignore`` are regions to ignore, for all nine classes (`toolkit
    <https://github.com/shaunyuan22/SODA-mmdetection>`_). The files without them,
    ``*_wo_ignore.json``, are left out.

    Examples:
        >>> SodaD().class_name(dict(id=10, name='ignore')) is None
        True
    """

    name: ClassVar[str] = 'soda-d'
    title: ClassVar[str] = 'SODA-D'
    layout: ClassVar[str] = 'Annotations/{train,val,test}.json and Images/'

    def files(self, folder: Folder) -> list[Path]:
        found = [p for p in super().files(folder) if _names(folder.json(p)) >= {*SODA_D}]
        return [path for path in found if not path.stem.endswith('_wo_ignore')] or found

    def classes(self, files: dict[Path, CocoFile]) -> tuple[str, ...]:
        return SODA_D

    def class_name(self, category: dict) -> str | None:
        return None if category['name'] == 'ignore' else category['name']

    def near(self, folder: Folder, split: str) -> list[Path]:
        return [folder.root / 'Images' / split, folder.root / 'Images']


def _names(content: Any) -> set[str]:
    categories = content.get('categories', []) if isinstance(content, dict) else []
    return {str(c.get('name')) for c in categories if isinstance(c, dict)}
