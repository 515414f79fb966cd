"""What stands beside the detections of a test."""

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseDataPreprocessor
from torch import nn

from abc_mmdet.apis.test_record import (
    InputSizes,
    TestRecord,
    _milliseconds,
    read_record,
    record_path,
)

RECORD = TestRecord('a.py', 'a.pth', '2026-01-01T10:00+00:00', 'CPU', 9, 4, (320, 192), 12.5)


def test_a_record_is_read_back(tmp_path: Path) -> None:
    results = tmp_path / 'a.bbox.json'
    path = record_path(results)
    assert path == tmp_path / 'a.test.json'
    assert read_record(results) is None, 'of detections by other tools there is none'
    path.write_text(json.dumps(asdict(RECORD)))
    assert read_record(results) == RECORD


@pytest.mark.parametrize('content', ['', '[]', '3', '{"images": 1}', '{"input_size": 5}', '[1'])
def test_other_files_are_no_records(content: str, tmp_path: Path) -> None:
    (tmp_path / 'a.test.json').write_text(content)
    record = read_record(tmp_path / 'a.bbox.json')
    assert record is None or (record.input_size is None and record.milliseconds is None)


def test_the_input_is_seen() -> None:
    model = nn.Module()
    model.data_preprocessor = BaseDataPreprocessor()
    sizes = InputSizes(model)
    assert sizes.most_frequent is None
    for number, (height, width) in ((1, (64, 96)), (3, (96, 128)), (1, (64, 96))):
        model.data_preprocessor(dict(inputs=torch.zeros(number, 3, height, width)))
    assert sizes.most_frequent == (128, 96)


def test_milliseconds_are_without_the_first_batch() -> None:
    hub = MessageHub('speed')
    runner = SimpleNamespace(message_hub=hub)
    assert _milliseconds(runner, 10, 4) is None, 'nothing was measured'
    for seconds in (9.0, 0.4, 0.2):
        hub.update_scalar('test/time', seconds)
    assert _milliseconds(runner, 10, 4) == pytest.approx(100), 'two batches, 4 and 2 images'
