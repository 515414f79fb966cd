"""The result as the last line of a run."""

from pathlib import Path

import torch
from mmengine.logging import MessageHub

from abc_mmdet.apis.progress import in_one_line, result_line, training_result


def test_metrics_in_a_line() -> None:
    assert in_one_line({'pascal_voc/mAP': 0.25, 'note': 'x'}) == 'mAP 0.250, note x'


def test_what_was_measured_and_no_more() -> None:
    metrics = {'coco/bbox_mAP_s': 0.1724, 'coco/bbox_mAP': 0.2084, 'coco/car_precision': 0.5}
    assert result_line(metrics, 'a.pth') == 'result: mAP 0.208, AP_small 0.172, checkpoint a.pth'
    metrics['coco/bbox_mAP_small_classes'] = float('nan')
    assert result_line(metrics, None) == 'result: mAP 0.208, AP_small 0.172, small classes nan'


def test_the_checkpoint_of_a_work_dir_that_was_moved(tmp_path: Path) -> None:
    class Run:  # what the line is made of
        work_dir = str(tmp_path)
        message_hub = MessageHub('moved_work_dir')

    assert training_result(Run()) is None, 'nothing was evaluated'
    Run.message_hub.update_scalar('val/coco/bbox_mAP', 0.25)
    assert training_result(Run()) == 'result: mAP 0.250', 'nothing was saved'
    torch.save(dict(weight=torch.zeros(1)), tmp_path / 'iter_4.pth')
    (tmp_path / 'last_checkpoint').write_text('/where/it/was/iter_4.pth')
    assert training_result(Run()) == f'result: mAP 0.250, checkpoint {tmp_path / "iter_4.pth"}'
