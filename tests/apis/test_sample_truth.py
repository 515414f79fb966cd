"""Ground truth from the evaluated data set itself gives the figures of its annotation file."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from abc_mmdet.apis.sample_truth import carry_ground_truth
from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    prepare(folder, Recipe(train=3, val=3, width=128, height=96, seed=3))
    return folder


def experiment(data: Path, splits: tuple[str, ...], ann_file: str | None = None) -> Config:
    config = Config.fromfile('configs/small/abc_synthetic.py')
    classes = config.classes
    pipeline = config.val_dataloader.dataset.pipeline
    datasets = [
        dict(
            type='CocoDataset',
            data_root=str(data),
            ann_file=f'annotations/{split}.json',
            data_prefix=dict(img=f'{split}/'),
            metainfo=dict(classes=classes),
            test_mode=True,
            pipeline=pipeline,
        )
        for split in splits
    ]
    return Config(
        dict(
            val_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(type='ConcatDataset', datasets=datasets)
                if len(splits) > 1
                else datasets[0],
            ),
            val_evaluator=dict(type='SmallObjectMetric', ann_file=ann_file and str(ann_file)),
            test_dataloader=None,
        )
    )


def figures(config: Config) -> dict[str, float]:
    """Of detections that are the ground truth of every second image."""
    carry_ground_truth(config)
    loader = Runner.build_dataloader(config.val_dataloader)
    evaluator = Evaluator(config.val_evaluator)
    evaluator.dataset_meta = loader.dataset.metainfo
    position = 0
    for batch in loader:
        for sample in batch['data_samples']:
            info = loader.dataset.get_data_info(position)
            instances = info['instances'] if position % 2 == 0 else []
            sample.pred_instances = InstanceData(
                bboxes=torch.tensor([i['bbox'] for i in instances]).reshape(-1, 4),
                labels=torch.tensor([i['bbox_label'] for i in instances], dtype=torch.long),
                scores=torch.full((len(instances),), 0.9),
            )
            position += 1
        evaluator.process(batch['data_samples'], batch)
    return evaluator.evaluate(len(loader.dataset))


def test_figures_are_those_of_the_annotation_file(data: Path) -> None:
    from_file = figures(experiment(data, ('val',), data / 'annotations' / 'val.json'))
    from_data = figures(experiment(data, ('val',)))
    assert 0.1 < from_file['coco/bbox_mAP_50'] < 1
    assert from_data == pytest.approx(from_file, nan_ok=True)


def test_every_data_set_of_several_counts(data: Path) -> None:
    """Both files number their images from 0."""
    config = experiment(data, ('train', 'val'))
    config.val_evaluator.update(metric_items=['AR@100'], iou_thrs=[0.5])
    recall = figures(config)['coco/bbox_AR@100']
    boxes, found = Counter(), Counter()
    for position, item in enumerate(Runner.build_dataloader(config.val_dataloader).dataset):
        for box in item['data_samples'].instances:
            if not box['ignore_flag']:
                boxes[box['bbox_label']] += 1
                found[box['bbox_label']] += position % 2 == 0
    assert recall == pytest.approx(sum(found[c] / boxes[c] for c in boxes) / len(boxes), abs=1e-4)
    assert 0 < recall < 1
