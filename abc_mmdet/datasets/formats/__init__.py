"""Data sets in the formats that people have, read into records and written as COCO files."""

from .base import Format, Options
from .coco import Coco
from .coco_data_sets import AiTod, SodaD, TinyPerson
from .coco_writer import as_coco, write_splits
from .labelme import LabelMe
from .pascal_voc import PascalVoc
from .records import Box, DataSet, ImageRecord, summary
from .registry import FORMATS, find_format, read_folder
from .soda_a import SodaA
from .visdrone import VisDrone
from .yolo import Yolo

__all__ = [
    'FORMATS',
    'AiTod',
    'Box',
    'Coco',
    'DataSet',
    'Format',
    'ImageRecord',
    'LabelMe',
    'Options',
    'PascalVoc',
    'SodaA',
    'SodaD',
    'TinyPerson',
    'VisDrone',
    'Yolo',
    'as_coco',
    'find_format',
    'read_folder',
    'summary',
    'write_splits',
]
