"""One step of training and prediction of an experiment, without data."""

import torch
from mmengine.config import Config

from abc_mmdet.models import ABCHead
from abc_mmdet.models.task_modules import FastSimOTAAssigner
from abc_mmdet.models.wasserstein import nwd_constants
from mmdet.registry import MODELS
from mmdet.structures import TrackDataSample
from mmdet.testing import demo_mm_inputs


def train_and_predict(config: Config) -> None:
    """Every parameter gets a gradient, and classes are the same in model and data sets."""
    if config.model.get('teacher'):
        config.model.teacher.checkpoint = None  # it is trained before
    model = MODELS.build(config.model)
    model.init_weights()
    for _, constant in nwd_constants(model):
        constant.value = constant.value or 20.0  # NWDConstantHook measures it in training
    data = demo_batch(config)
    batch = model.data_preprocessor(data, training=True)
    losses = model.train()(**batch, mode='loss')
    total, _ = model.parse_losses(losses)
    assert total.isfinite()
    total.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    with torch.no_grad():
        model.eval()(**batch, mode='predict')

    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        dataset = loader.dataset
        while 'dataset' in dataset:  # inside MultiImageMixDataset
            dataset = dataset.dataset
        assert dataset.metainfo.classes == config.classes
    head = model.bbox_head
    assert isinstance(head.assigner, FastSimOTAAssigner)
    if isinstance(head, ABCHead):
        assert head.classes == tuple(config.classes)
    if isinstance(head, ABCHead) and config.model.bbox_head.get('use_auxiliary', True):
        small = tuple(config.small_classes)
        if config.model.bbox_head.small_classes == 'all':
            small = tuple(config.classes)
        assert head.small_classes.names == small
        assert isinstance(head.aux_head.assigner, FastSimOTAAssigner)
    else:
        assert head.num_classes == len(config.classes)


def demo_batch(config: Config) -> dict:
    """Two samples: images of 96 x 64 px, or clips of two steps whose last one is labelled."""
    shape = (3, 64, 96)
    data = demo_mm_inputs(2, [shape] * 2, num_items=[3, 0], num_classes=len(config.classes))
    if config.model.type != 'StreamingDetector':
        return data
    clips = []
    for i, sample in enumerate(data['data_samples']):
        sample.set_metainfo(dict(step=1))
        clip = TrackDataSample(metainfo=dict(recording=i, seed=0, start=0, stop=2, streamed=i == 0))
        clip.video_data_samples = [sample]
        clips.append(clip)
    events = torch.randint(0, 11, (2, 20, *shape[1:]), dtype=torch.uint8)
    return dict(inputs=[events, events], data_samples=clips)
