from abc_mmdet.apis.result_line import result_line


def test_what_was_measured_and_no_more() -> None:
    metrics = {'coco/bbox_mAP_s': 0.1724, 'coco/bbox_mAP': 0.2084, 'coco/car_precision': 0.5}
    assert result_line(metrics, 'a.pth') == 'result: mAP 0.208, AP_small 0.172, checkpoint a.pth'
    metrics['coco/bbox_mAP_small_classes'] = float('nan')
    assert result_line(metrics, None) == 'result: mAP 0.208, AP_small 0.172, small classes nan'
