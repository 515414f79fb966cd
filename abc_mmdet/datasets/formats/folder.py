"""A folder of images and annotations, looked through once."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from abc_mmdet.datasets.annotations.checks import NUM_EXAMPLES, PROBLEM, Issue, issue_lines
from abc_mmdet.errors import UserError, backslash_hint
from abc_mmdet.utils.image_files import IMAGES, open_image


class Problems:
    """Kinds of mistakes, each with places where it is.

    Args:
        where: folder of the data set.

    Examples:
        >>> problems = Problems('data')
        >>> problems.add('lines are no numbers: correct them', 'labels/a.txt:3: x')
        >>> problems.stop('YOLO')  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        abc_mmdet.errors.UserError: data was not converted ...
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self._places: dict[str, list[str]] = defaultdict(list)

    def __bool__(self) -> bool:
        return bool(self._places)

    def add(self, what: str, place: str) -> None:
        """Note a mistake.

        Args:
            what: it is, and what to do; the same words for the same mistake.
            place: file, line and value.
        """
        self._places[what].append(place)

    def stop(self, title: str) -> None:
        """End the conversion if there is a mistake.

        Raises:
            UserError: with every kind, and the first places of each.
        """
        if not self._places:
            return
        lines = [f'{self.where} was not converted from {title}, and nothing was written.']
        for what, places in self._places.items():
            issue = Issue('', PROBLEM, self.where, what, len(places), places[:NUM_EXAMPLES])
            lines += issue_lines(issue)
        raise UserError('\n'.join(lines))


MARK = dict(converted_by='abc_mmdet')
"""``info`` of the files that are written here, so that they are no input where they lie."""

_NUM_THREADS = 8
_ORIENTATION = 0x0112  # EXIF; from 5 on width and height change places
_SPLIT = re.compile(
    r'(?:^|[-_ .])(?:(train)(?:ing)?|(val)(?:id|idation)?|(test)(?:ing)?)\d*'
    r'(?:[-_ .](?:dev|challenge))?(?=$|[-_ .])',
    re.IGNORECASE,
)


class Folder:
    """Files below a folder, and where an image of some name is. Nothing outside of it is opened.

    Args:
        path: of the folder.

    Attributes:
        problems: mistakes found so far, to be raised together.

    Raises:
        UserError: there is no such folder.

    Examples:
        >>> Path('a').mkdir()
        >>> Folder('a').files
        []
    """

    def __init__(self, path: str | Path) -> None:
        self.root = Path(os.path.normpath(path))
        if not self.root.is_dir():
            raise UserError(f'There is no folder {path} (from {Path.cwd()}).{backslash_hint(path)}')
        self.problems = Problems(str(self.root))
        self._json: dict[Path, Any] = {}

    @cached_property
    def files(self) -> list[Path]:
        """All of them, also behind links; hidden ones are left out."""
        found: list[Path] = []
        above = os.path.realpath(self.root)
        ways: dict[str, set[str]] = {}  # real folders from the root down to each
        for place, folders, names in os.walk(self.root, followlinks=True):
            real = os.path.realpath(place)
            way = ways.get(os.path.dirname(place), set())
            if ways and (real in way or above.startswith(os.path.join(real, ''))):
                folders.clear()  # a link to a folder above
                continue
            ways[place] = {*way, real}
            folders[:] = sorted(f for f in folders if not f.startswith(('.', '__MACOSX')))
            found += [Path(place, name) for name in sorted(names) if not name.startswith('.')]
        return found

    def with_suffix(self, *suffixes: str) -> list[Path]:
        """Files whose names end so, in any case."""
        return [path for path in self.files if path.suffix.lower() in suffixes]

    @cached_property
    def images(self) -> list[Path]:
        """All image files."""
        return self.with_suffix(*IMAGES)

    @cached_property
    def json_files(self) -> list[Path]:
        """JSON files, but for those that were converted here."""
        return [path for path in self.with_suffix('.json') if not _is_ours(path)]

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found = defaultdict(list)
        for path in self.images:
            found[path.name].append(path)
        return found

    @cached_property
    def _paths(self) -> set[Path]:
        return set(self.images)

    @cached_property
    def stems(self) -> set[str]:
        """Names of the image files without their endings."""
        return {path.stem for path in self.images}

    def short(self, path: Path) -> str:
        """A path as it is said: below the folder."""
        return path.relative_to(self.root).as_posix()

    def find_image(self, name: str, near: Sequence[Path] = (), split: str = '') -> Path | None:
        """The image file of a name in an annotation.

        Args:
            name: with or without folders, which are those of the file if there are any.
            near: folders to look in first.
            split: that the image belongs to; of several files of the name, the one in its folder.

        Returns:
            None if there is none, or if it cannot be told which.
        """
        relative = PurePosixPath(name.replace('\\', '/'))
        for folder in near:
            path = Path(os.path.normpath(folder / relative))
            if path in self._paths:
                return path
        found = self._by_name.get(relative.name, [])
        parts = tuple(part for part in relative.parts if part not in ('..', '.', '/'))
        same = [path for path in found if _ends_alike(path.relative_to(self.root).parts, parts)]
        if split not in ('', 'all'):
            own = [path for path in same if self.split_of(path) == split]
            same = own or [path for path in same if self.split_of(path) == 'all']
        if len(same) > 1 and len({os.path.realpath(path) for path in same}) > 1:
            return None
        return same[0] if same else None

    def image_of_stem(
        self, beside: Path, near: Sequence[Path] = (), split: str = ''
    ) -> Path | None:
        """The image file with the name of an annotation file."""
        names = [beside.stem + suffix for s in IMAGES for suffix in (s, s.upper())]
        found = (self.find_image(name, [beside.parent, *near], split) for name in names)
        return next((path for path in found if path is not None), None)

    def split_of(self, path: Path, by_file: bool = False) -> str:
        """``train``, ``val``, ``test``, by the folders a file is in; ``all`` if they do not say.

        Args:
            path: of the file.
            by_file: look at the name of the file first, as in ``instances_val2017.json``.
        """
        parts = list(path.relative_to(self.root).parts[:-1][::-1])
        if by_file and re.search('(?i)trainval', path.stem):
            return 'train'
        for part in [*([path.stem] if by_file else []), *parts]:
            found = _SPLIT.search(part)
            if found:
                return next(filter(None, found.groups())).lower()
        # "VisDrone2019-DET-val" by itself is a split, "test_of_my_camera" is a name
        name = self.root.resolve().name
        ends = [found for found in _SPLIT.finditer(name) if found.end() == len(name)]
        return next(filter(None, ends[0].groups())).lower() if ends else 'all'

    def text(self, path: Path) -> str:
        """Content of a text file; of one that is not text, nothing, and a problem."""
        try:
            return path.read_text(encoding='utf-8-sig')
        except UnicodeDecodeError:
            self.problems.add('are not text in UTF-8: save them as such', self.short(path))
        except OSError as error:
            self.problems.add('cannot be read', f'{self.short(path)}: {error.strerror or error}')
        return ''

    def json(self, path: Path) -> Any:
        """Content of a JSON file; None and a problem if it is none."""
        if path not in self._json:
            try:
                content = json.loads(path.read_bytes())
                if isinstance(content, dict):
                    content.pop('imageData', None)  # LabelMe's copy of the image
                self._json[path] = content
            except (ValueError, RecursionError) as error:
                self.problems.add('are not JSON, or cut off', f'{self.short(path)}: {error}')
                self._json[path] = None
            except OSError as error:
                said = f'{self.short(path)}: {error.strerror or error}'
                self.problems.add('cannot be read', said)
                self._json[path] = None
        return self._json[path]

    def sizes(self, paths: Iterable[Path]) -> dict[Path, tuple[int, int]]:
        """Width and height of image files as they are read; a problem for those that cannot be."""
        wanted = list(dict.fromkeys(paths))
        with ThreadPoolExecutor(_NUM_THREADS) as pool:
            found = dict(zip(wanted, pool.map(_size, wanted), strict=True))
        for path, size in found.items():
            if isinstance(size, str):
                self.problems.add(
                    'image files cannot be read: copy them again, or take them and their '
                    'annotations out',
                    f'{self.short(path)}: {size}',
                )
        return {path: size for path, size in found.items() if not isinstance(size, str)}

    def check_size(
        self, where: str, path: Path, size: tuple[int, int], said: tuple[int, int]
    ) -> None:
        """A problem if an annotation file gives an image another size; 0 is no size."""
        if said == size or not all(said):
            return
        turned = ' (its orientation mark, EXIF, turns it)' if said == size[::-1] else ''
        self.problems.add(
            'annotations say another size than their image has, so boxes lie elsewhere: annotate '
            'the images as they are, or put the size right',
            f'{where}: {said[0]}x{said[1]}, {self.short(path)} is {size[0]}x{size[1]}{turned}',
        )


def _is_ours(path: Path) -> bool:
    begin = json.dumps(dict(info=MARK))[:-2].encode()  # without the brackets that close it
    try:
        with path.open('rb') as file:
            return file.read(len(begin)) == begin
    except OSError:
        return False


def _ends_alike(path: tuple[str, ...], name: tuple[str, ...]) -> bool:
    """Whether the shorter of two paths is the end of the other, which may be that of elsewhere."""
    length = min(len(path), len(name))
    return path[-length:] == name[-length:]


def _size(path: Path) -> tuple[int, int] | str:
    try:
        with path.open('rb') as file, open_image(file) as image:
            # To look for a mark behind the pixels PIL would decode a PNG
            has_none = image.format == 'PNG' and 'exif' not in image.info
            mark = 1 if has_none else image.getexif().get(_ORIENTATION, 1)
            width, height = image.size
    except Exception as error:  # whatever a decoder thinks of broken bytes
        return str(error) or type(error).__name__
    return (height, width) if mark in (5, 6, 7, 8) else (width, height)
