"""COCO annotation files: read with all their mistakes, and what is wrong with them."""

from .checks import Finding, finding_lines, read_whole
from .coco_file import CocoFile, image_path

__all__ = ['CocoFile', 'Finding', 'finding_lines', 'image_path', 'read_whole']
