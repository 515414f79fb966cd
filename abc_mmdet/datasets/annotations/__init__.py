"""COCO annotation files: read with all their mistakes, and what is wrong with them."""

from .coco_file import CocoFile
from .finding import Finding, finding_lines
from .image_path import image_path
from .reading import read_whole

__all__ = ['CocoFile', 'Finding', 'finding_lines', 'image_path', 'read_whole']
