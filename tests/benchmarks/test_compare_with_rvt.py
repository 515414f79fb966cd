"""The comparison with RVT: its functions against references made here, and RVT where it lies."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from torchvision.ops import batched_nms

from ..warm_python import python

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / 'benchmarks/compare_with_rvt.py'
sys.path.append(str(SCRIPT.parent))

from rvt_comparison import evaluation, loss, zoom  # noqa: E402
from rvt_comparison.row import Row, relative  # noqa: E402

from abc_mmdet.models.dense_heads import ClassScoreYOLOXHead  # noqa: E402

ASSIGNER = dict(type='CenterSimOTAAssigner', center_radius=1.5)


def head(assigner: dict = ASSIGNER) -> ClassScoreYOLOXHead:
    return ClassScoreYOLOXHead(
        loss.CLASSES,
        8,
        feat_channels=8,
        train_cfg=dict(assigner=assigner),
        test_cfg=ConfigDict(score_thr=0.001, nms=dict(type='nms', iou_threshold=0.45, max_num=-1)),
    )


def test_a_difference_is_seen() -> None:
    assert relative(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 5.0])) == pytest.approx(0.2)
    assert relative(torch.zeros(2), torch.zeros(3)) == float('inf')
    assert Row('', 1, 0.1, 0.2).holds
    assert not Row('', 1, 0.3, 0.2).holds and not Row('', 1, float('nan'), 0.2).holds


def test_another_rule_of_assignment_is_seen_in_loss_and_gradient() -> None:
    ours, other = head(), head(dict(type='FastSimOTAAssigner', center_radius=2.5))

    def compared(theirs: ClassScoreYOLOXHead) -> list[Row]:
        functions = (lambda *s, h=h: loss.our_loss(h, *s) for h in (ours, theirs))
        return list(loss.compare_losses(*functions, cases=4))

    assert [row.difference for row in compared(ours)] == [0, 0]
    assert not any(row.holds for row in compared(other))


def select(outputs: torch.Tensor, num_classes: int, threshold: float, iou: float) -> list:
    """YOLOX's selection, written for this test: by the product, with both scores kept."""
    found = []
    for row in outputs:
        low, high = row[:, :2] - row[:, 2:4] / 2, row[:, :2] + row[:, 2:4] / 2
        of_class, label = row[:, 5 : 5 + num_classes].max(1)
        score = row[:, 4] * of_class
        boxes = torch.cat([low, high, row[:, 4:5], of_class[:, None], label[:, None]], 1)
        boxes, score = boxes[score >= threshold], score[score >= threshold]
        found.append(boxes[batched_nms(boxes[:, :4], score, boxes[:, 6], iou)])
    return found


def test_detections_are_compared_with_their_ranking_score() -> None:
    (row,) = evaluation.compare_detections(head(), select, cases=3)
    assert row.holds, row
    (row,) = evaluation.compare_detections(
        head(), lambda *args: [x * x.new_tensor([1, 1, 1, 1, 1, 0.9, 1]) for x in select(*args)], 1
    )
    assert not row.holds


def test_recordings_have_what_tells_protocols_apart() -> None:
    frames = evaluation.recording(0, 304, 240, 2)
    truths, found = zip(*frames, strict=True)
    assert any(not len(truth) for truth in truths) and frames[0][0].dtype == evaluation.BOXES
    boxes = np.concatenate(found)
    assert (boxes['x'] < 0).any() and (boxes['x'] + boxes['w'] > 304).any()
    assert (np.concatenate(truths)['w'] < 10).any() and (boxes['t'] < 500_000).any()


def test_a_zoom_that_cuts_is_seen() -> None:
    def into_the_box(events: np.ndarray, box: np.ndarray, seed: int) -> tuple:
        """Doubles the quarter of the frame that begins ten pixels behind the box's corner."""
        x, y = np.minimum(box[:2].astype(int) + 10, [zoom.WIDTH // 2, zoom.HEIGHT // 2])
        part = events[:, y : y + zoom.HEIGHT // 2, x : x + zoom.WIDTH // 2]
        moved = (box - [x, y, x, y]) * 2
        return part.repeat(2, 1).repeat(2, 2), moved.clip(0, [zoom.WIDTH, zoom.HEIGHT] * 2)

    ours, theirs = zoom.compare_zooms(into_the_box, cases=10)
    assert ours.holds and theirs.difference > 5


def test_without_a_clone_there_is_a_message(tmp_path: Path) -> None:
    done = subprocess.run(
        [python(), SCRIPT, '--rvt', tmp_path], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 2 and 'is no clone of RVT' in done.stderr


@pytest.mark.slow
@pytest.mark.skipif('ABC_RVT' not in os.environ, reason='ABC_RVT names no clone of RVT')
def test_it_is_rvt(tmp_path: Path) -> None:
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    options = ['--archs', 'tiny', '--steps', '2', '--cases', '20', '--json', tmp_path / 'rows.json']
    done = subprocess.run(
        [sys.executable, SCRIPT, '--rvt', os.environ['ABC_RVT'], *options],
        **dict(capture_output=True, text=True, cwd=ROOT, env=env),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / 'rows.json').read_text())
    assert len(rows) == 12 and all(row['holds'] for row in rows)
