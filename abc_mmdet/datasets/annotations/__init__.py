"""COCO annotation files: read with all their mistakes, and what is wrong with them."""

from .checks import Issue, issue_lines, read_whole
from .coco_file import CocoFile, image_path

__all__ = ['CocoFile', 'Issue', 'image_path', 'issue_lines', 'read_whole']
