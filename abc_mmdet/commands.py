"""The words of the command ``abc-mmdet``, and the tools they stand for. Standard library only."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

NAME = 'abc-mmdet'


@dataclass(frozen=True)
class Command:
    """What a word of the command line stands for.

    Args:
        summary: one line for the help.
        script: of the tool, below ``tools/``; '' for the doctor, and for a group.
        group: further words, one of which has to follow.

    Examples:
        >>> COMMANDS['train'].script
        'train.py'
    """

    summary: str
    script: str = ''
    group: Mapping[str, Command] | None = None


CONVERT = {
    'to-coco': Command(
        'YOLO, Pascal VOC, VisDrone, SODA, TinyPerson, LabelMe, ... to COCO files',
        'dataset_converters/to_coco.py',
    ),
    'event-recordings': Command(
        'recordings of event cameras to the layout that is trained on',
        'dataset_converters/event_recordings.py',
    ),
    'synthetic-traffic': Command(
        'draw a small traffic data set in COCO format, to try things on',
        'dataset_converters/synthetic_traffic.py',
    ),
    'synthetic-events': Command(
        'the same as recordings of an event camera',
        'dataset_converters/synthetic_events.py',
    ),
    'to-mmdet': Command(
        'config and checkpoint for MMDetection without this package',
        'model_converters/to_mmdet.py',
    ),
    'abc-to-plain': Command(
        "a checkpoint of ABC to the plain detector's", 'model_converters/abc_to_plain.py'
    ),
    'rvt-to-abc': Command('a checkpoint of RVT to one of ours', 'model_converters/rvt_to_abc.py'),
    'average': Command('the mean of the weights of checkpoints', 'model_converters/average.py'),
}

COMMANDS = {
    'new-config': Command('check your data and write a config for it', 'new_config.py'),
    'check': Command(
        'check images, annotations and classes of a config', 'analysis_tools/check_dataset.py'
    ),
    'train': Command('train a detector', 'train.py'),
    'test': Command('evaluate a checkpoint', 'test.py'),
    'report': Command('results side by side on one HTML page', 'analysis_tools/report.py'),
    'predict': Command('detect in images, videos and event recordings', 'infer.py'),
    'export': Command('write a detector as ONNX', 'deployment/export_onnx.py'),
    'convert': Command('data sets and checkpoints from one form to another', group=CONVERT),
    'doctor': Command('what works here, what is missing, and what mends it'),
}


def in_words_of_the_command(text: str) -> str:
    """A message with ``abc-mmdet train`` for ``python tools/train.py``, if that is what was called.

    Who installed the package has no folder ``tools/``, and who calls the tools may not have the
    command: there the text stays as it is.

    Examples:
        >>> in_words_of_the_command('Try python tools/train.py CONFIG.')
        'Try python tools/train.py CONFIG.'
    """
    if ''.join(sys.argv[:1]).split(' ')[0] != NAME:
        return text
    words = {c.script: f'{NAME} {word}' for word, c in COMMANDS.items() if c.script}
    words |= {c.script: f'{NAME} convert {word}' for word, c in CONVERT.items()}
    tool = re.compile(r'(?:python )?tools/([\w/]+\.py)')
    return tool.sub(lambda found: words.get(found[1], found[0]), text)
