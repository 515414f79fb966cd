# The evaluation of RVT's published figures, for checkpoints from
# tools/model_converters/rvt_to_abc.py: Prophesee's protocol, score threshold 0.001, as many
# detections as there are of which the first 100 per class count, ranked by class score without
# objectness (docs/metrics.md). RVT validates with score threshold 0.1 while it trains.
_base_ = './baseline_3level_100k.py'

model = dict(
    bbox_head=dict(type='ClassScoreYOLOXHead'),
    test_cfg=dict(score_thr=0.001, nms=dict(iou_threshold=0.45, max_num=-1)))

val_evaluator = dict(protocol='prophesee', proposal_nums=(100,))
test_evaluator = val_evaluator
