"""MMDetection's detectors with queries, a thousandth of their size."""

from __future__ import annotations

from typing import Any

KINDS = ('DeformableDETR', 'DINO', 'DDQDETR')
"""Names of the detectors; RT-DETR is not among MMDetection's."""
_WIDTH = 32


def query_detector(kind: str, num_classes: int) -> dict[str, Any]:
    """Model config: ResNet-18 of 4 channels, two levels, one layer of encoder, two of decoder."""
    attention = dict(embed_dims=_WIDTH, num_heads=4, dropout=0.0)
    sampling = dict(attention, num_levels=2, num_points=2)
    ffn = dict(embed_dims=_WIDTH, feedforward_channels=32, ffn_drop=0.0)
    model = dict(
        type=kind,
        num_queries=20,
        with_box_refine=True,
        as_two_stage=kind != 'DeformableDETR',  # whose two stages need 256 channels
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_size_divisor=1,
        ),
        backbone=dict(type='ResNet', depth=18, base_channels=4, out_indices=(2, 3)),
        neck=dict(
            type='ChannelMapper',
            in_channels=[16, 32],
            kernel_size=1,
            out_channels=_WIDTH,
            act_cfg=None,
            norm_cfg=dict(type='GN', num_groups=8),
            num_outs=2,
        ),
        encoder=dict(num_layers=1, layer_cfg=dict(self_attn_cfg=sampling, ffn_cfg=ffn)),
        decoder=dict(
            num_layers=2,
            return_intermediate=True,
            layer_cfg=dict(self_attn_cfg=attention, cross_attn_cfg=sampling, ffn_cfg=ffn),
            post_norm_cfg=None,
        ),
        positional_encoding=dict(num_feats=_WIDTH // 2, normalize=True),
        bbox_head=dict(
            type=f'{kind}Head',
            embed_dims=_WIDTH,
            num_classes=num_classes,
            sync_cls_avg_factor=True,
            loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25),
            loss_bbox=dict(type='L1Loss', loss_weight=5.0),
            loss_iou=dict(type='GIoULoss', loss_weight=2.0),
        ),
        train_cfg=dict(
            assigner=dict(
                type='HungarianAssigner',
                match_costs=[
                    dict(type='FocalLossCost', weight=2.0),
                    dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
                    dict(type='IoUCost', iou_mode='giou', weight=2.0),
                ],
            )
        ),
        test_cfg=dict(max_per_img=20),
    )
    if kind != 'DeformableDETR':
        noise = dict(dynamic=True, num_groups=None, num_dn_queries=10)
        model['dn_cfg'] = dict(label_noise_scale=0.5, box_noise_scale=1.0, group_cfg=noise)
    if kind == 'DDQDETR':
        model |= dict(dense_topk_ratio=1.5, dqs_cfg=dict(type='nms', iou_threshold=0.8))
    return model
