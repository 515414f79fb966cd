"""What CONTRIBUTING.md and CITATION.cff name is there."""

import re
from pathlib import Path

import yaml

from abc_mmdet.version import __version__

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / 'CONTRIBUTING.md').read_text()


def test_files_are_there() -> None:
    """Each by its path, or by its name in a folder that was named before it in its section."""
    for section in TEXT.split('\n## '):
        folders = {Path()}
        for name in re.findall(r'[`(]([\w/.-]+(?:\.(?:py|md|yml)|/))[`)]', section):
            path = Path(name).parent if 'NAME' in name else Path(name)
            places = [folder / path for folder in folders if (ROOT / folder / path).exists()]
            assert places, f'{name} in "{section.splitlines()[0]}"'
            folders |= {p if (ROOT / p).is_dir() else p.parent for p in places}


def test_names_are_those_of_the_code() -> None:
    folders = ('abc_mmdet', 'tests')
    code = '\n'.join(f.read_text() for folder in folders for f in ROOT.glob(f'{folder}/**/*.py'))
    words = re.findall(r'`(?:\w+\.)?(_?[A-Za-z_]+)`', TEXT)
    names = {word for word in words if '_' in word or (word[0].isupper() and word != word.title())}
    names -= {'NAME', 'INPUT', 'iou_calculator', 'loss_bbox', 'abc_mmdet'}
    assert {'check_annotations', 'STOPS', 'find_sources', 'FastSimOTAAssigner'} <= names
    defined = set(re.findall(r'^ *(?:def |class )?(\w+)(?=[(:]| = )', code, re.M))
    assert names - defined == set()


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['cff-version'] == '1.2.0' and citation['type'] == 'software'
    assert citation['version'] == __version__ and citation['license'] == 'Apache-2.0'
    years = {
        reference['title'].split(':')[0]: reference['year'] for reference in citation['references']
    }
    assert years == {
        'Recurrent Vision Transformers for Object Detection with Event Cameras': 2023,
        'YOLOX': 2021,
        'eTraM': 2024,
        'MMDetection': 2019,
    }
    assert all(reference['authors'] and reference['url'] for reference in citation['references'])
