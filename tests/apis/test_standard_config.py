"""What every run has: hooks, and ground truth from the data set where the metric has no file."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from abc_mmdet.apis import load_experiment
from abc_mmdet.apis.standard_config import carry_ground_truth, prepare_run
from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare
from abc_mmdet.engine import ClassNamesHook
from abc_mmdet.errors import UserError
from mmdet.engine.hooks import NumClassCheckHook

ROOT = Path(__file__).parents[2]


TINY = {
    'model.backbone.widen_factor': 0.125,
    'model.backbone.deepen_factor': 0.1,
    'model.neck.in_channels': [16, 32, 64, 128],
    'train_dataloader.batch_size': 1,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'train_cfg.max_iters': 1,
    'val_dataloader': None,
    'val_evaluator': None,
    'val_cfg': None,
}


@pytest.mark.parametrize('kind', ['NumClassCheckHook', 'mmdet.NumClassCheckHook', 'class'])
def test_mmdetections_class_check_lets_an_abc_head_train(kind: str, tmp_path: Path) -> None:
    """It stands in MMDetection's SSD configs, and counts classes of the auxiliary head, too."""
    prepare(tmp_path / 'data', Recipe(train=2, val=1, width=128, height=96), False)
    options = {**TINY, 'data_root': str(tmp_path / 'data')}
    config = load_experiment(
        str(ROOT / 'configs/small/abc_synthetic.py'), options, str(tmp_path / 'work')
    )
    hook = NumClassCheckHook if kind == 'class' else kind
    config.custom_hooks = [dict(type=hook), dict(type='EMAHook')]
    prepare_run(config)
    assert [h['type'] for h in config.custom_hooks] == ['ClassNamesHook', 'EMAHook']
    if kind != 'class':  # the others come to the same config
        return
    config.experiment_name = tmp_path.name
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 1
    # As it was, the hook stopped this model, and ours still stops one of other classes
    with pytest.raises(AssertionError):
        NumClassCheckHook().before_train_epoch(runner)
    runner.model.bbox_head.classes = tuple(reversed(config.classes))
    with pytest.raises(UserError, match='classes'):
        ClassNamesHook().before_train(runner)


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


def metrics_of(config: Config) -> dict[str, float]:
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


def test_metrics_are_those_of_the_annotation_file(data: Path) -> None:
    from_file = metrics_of(experiment(data, ('val',), data / 'annotations' / 'val.json'))
    from_data = metrics_of(experiment(data, ('val',)))
    assert 0.1 < from_file['coco/bbox_mAP_50'] < 1
    assert from_data == pytest.approx(from_file, nan_ok=True)


def test_every_data_set_of_several_counts(data: Path) -> None:
    """Both files number their images from 0."""
    config = experiment(data, ('train', 'val'))
    config.val_evaluator.update(metric_items=['AR@100'], iou_thrs=[0.5])
    recall = metrics_of(config)['coco/bbox_AR@100']
    boxes, found = Counter(), Counter()
    for position, item in enumerate(Runner.build_dataloader(config.val_dataloader).dataset):
        for box in item['data_samples'].instances:
            if not box['ignore_flag']:
                boxes[box['bbox_label']] += 1
                found[box['bbox_label']] += position % 2 == 0
    assert recall == pytest.approx(sum(found[c] / boxes[c] for c in boxes) / len(boxes), abs=1e-4)
    assert 0 < recall < 1
