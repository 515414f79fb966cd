"""Which images of two files can be the same one."""

import pytest

from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.records import check_name


@pytest.mark.parametrize(
    ('name', 'path'),
    [
        ('0001.png', 'data/images/0001.png'),
        ('a/0001.png', 'data/images/a/0001.png'),
        ('images/a/0001.png', 'a/0001.png'),  # of files with other image folders
        ('a\\0001.png', 'data/a/0001.png'),
        ('./0001.png', 'data/images/./0001.png'),
        ('/where/it/was/0001.png', '/where/it/is/0001.png'),
        ('http://host/0001.png', 'data/0001.png'),
        (None, 'data/0001.png'),
    ],
)
def test_names_of_one_image(name: str | None, path: str) -> None:
    check_name(dict(id=1, file_name=name), path, 'val.json', 'Do this.')


@pytest.mark.parametrize(
    ('name', 'path'),
    [
        ('0001.png', 'data/images/0002.png'),
        ('a/0001.png', 'data/images/b/0001.png'),  # sequences number their frames alike
        ('train/a/0001.png', 'val/a/0001.png'),
    ],
)
def test_names_of_two_images(name: str, path: str) -> None:
    with pytest.raises(UserError, match=r'not of the same images\. Do this'):
        check_name(dict(id=1, file_name=name), path, 'val.json', 'Do this.')
