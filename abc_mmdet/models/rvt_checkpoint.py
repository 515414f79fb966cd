"""Checkpoints of RVT (Gehrig and Scaramuzza, CVPR 2023) as those of our detectors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from abc_mmdet.checkpoints.content import check_finite
from abc_mmdet.checkpoints.conversion import TRAINING_ONLY, to_plain
from abc_mmdet.checkpoints.loading import read
from abc_mmdet.errors import UserError
from abc_mmdet.models.backbones.maxvit_rnn import ARCHS

BATCH_NORM_EPS = 1e-5
STEM = 'mdl.backbone.stages.0.downsample_cf2cl.conv.weight'
CLASSIFIER = 'mdl.yolox_head.cls_preds.0.weight'

# Parts of RVT's names, up to a dot, and what MMDetection's YOLOX calls them.
PARTS = {
    'mdl.backbone': 'backbone',
    'mdl.fpn.lateral_conv0': 'neck.reduce_layers.0',
    'mdl.fpn.C3_p4': 'neck.top_down_blocks.0',
    'mdl.fpn.reduce_conv1': 'neck.reduce_layers.1',
    'mdl.fpn.C3_p3': 'neck.top_down_blocks.1',
    'mdl.fpn.bu_conv2': 'neck.downsamples.0',
    'mdl.fpn.C3_n3': 'neck.bottom_up_blocks.0',
    'mdl.fpn.bu_conv1': 'neck.downsamples.1',
    'mdl.fpn.C3_n4': 'neck.bottom_up_blocks.1',
    'mdl.yolox_head.stems': 'neck.out_convs',
    'mdl.yolox_head.cls_convs': 'bbox_head.multi_level_cls_convs',
    'mdl.yolox_head.reg_convs': 'bbox_head.multi_level_reg_convs',
    'mdl.yolox_head.cls_preds': 'bbox_head.multi_level_conv_cls',
    'mdl.yolox_head.reg_preds': 'bbox_head.multi_level_conv_reg',
    'mdl.yolox_head.obj_preds': 'bbox_head.multi_level_conv_obj',
}
CSP_PARTS = {'conv1': 'main_conv', 'conv2': 'short_conv', 'conv3': 'final_conv', 'm': 'blocks'}


def read_rvt_state(path: str) -> dict[str, Tensor]:
    """The ``state_dict`` of a Lightning checkpoint of RVT.

    Args:
        path: the ``.ckpt``.

    Raises:
        UserError: a file that cannot be read, would run code, is not of an RVT or has weights that
            are not finite.
    """
    loaded = read(path)
    state = loaded.get('state_dict', {}) if isinstance(loaded, dict) else {}
    missing = [key for key in (STEM, CLASSIFIER) if key not in state]
    if missing:
        raise UserError(
            f'{path} is no checkpoint of RVT: it has no {missing[0]} in its state_dict. Give the '
            ".ckpt that RVT's training wrote."
        )
    weights = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    check_finite(weights, path)
    return weights


def plain_name(key: str) -> str | None:
    """MMDetection's name for a parameter of RVT, or None for what is no part of the network."""
    for rvt, ours in PARTS.items():
        if not key.startswith(f'{rvt}.'):
            continue
        rest = key.removeprefix(f'{rvt}.')
        if rvt.startswith('mdl.fpn.C3_'):
            first, _, last = rest.partition('.')
            rest = f'{CSP_PARTS.get(first, first)}.{last}'
        return f'{ours}.{rest}'
    return None


def convert_rvt(
    state: Mapping[str, Tensor],
    model: nn.Module,
    classes: Sequence[str] | None = None,
    rvt_classes: Sequence[str] | None = None,
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Weights of an RVT under the names of ``model``.

    Args:
        state: of :func:`read_rvt_state`.
        model: detector with :class:`MaxViTRNN`, ``YOLOXPAFPN`` (or ``ABCPAFPN`` with train-only
            levels) and ``YOLOXHead`` (or an ``ABCHead`` around it), on strides 8, 16, 32.
        classes: class names of the model, in order.
        rvt_classes: those of the checkpoint; None means that it has the same ones.

    Returns:
        The ``state_dict`` without what only the auxiliary task uses, as RVT has none, and every
        key of ``state`` that is not in it, with the reason.

    Raises:
        UserError: the two networks are not the same: parameters without a counterpart, other
            shapes or batch-norm settings, class names that RVT does not know.
    """
    _check_batch_norm(model)
    rows, without_row = _class_rows(state, classes, rvt_classes)
    # The plain names of an ABC detector lack what RVT lacks, too: the auxiliary task.
    own_state = model.state_dict()
    own_names = to_plain({name: name for name in own_state})
    converted, unused, mistakes = {}, dict(without_row), []
    for key, value in state.items():
        plain = plain_name(key)
        if plain is None or key.endswith('.mask_token'):
            unused[key] = (
                'for training with masked tokens only' if plain else 'no part of the detector'
            )
        elif plain not in own_names:
            mistakes.append(f'{key} has no counterpart {plain} in the model')
        else:
            if rows is not None and key.startswith('mdl.yolox_head.cls_preds.'):
                value = value[rows]
            name = own_names[plain]
            if value.shape != own_state[name].shape:
                mistakes.append(
                    f'{key} has shape {tuple(value.shape)}, {name} of the model '
                    f'{tuple(own_state[name].shape)}'
                )
            converted[name] = value
    mistakes += [
        f'{name} of the model is not in the checkpoint'
        for name in own_names.values()
        if name not in converted
    ]
    if mistakes:
        more = f'\n  and {len(mistakes) - 5} more' if len(mistakes) > 5 else ''
        raise UserError(
            'The config does not describe the network of the checkpoint:\n  '
            + '\n  '.join(mistakes[:5])
            + more
            + f'\nThe checkpoint needs, in model:\n{matching_config(state)}'
        )
    return {name: converted[name] for name in own_state if name in converted}, unused


def matching_config(state: Mapping[str, Tensor]) -> str:
    """The fields of a config that fix the shapes of an RVT checkpoint, to show to a user."""
    embed_dim, in_channels = state[STEM].shape[:2]
    num_classes, hidden = state[CLASSIFIER].shape[:2]
    known = {sizes['embed_dim']: f"'{name}'" for name, sizes in ARCHS.items()}
    arch = known.get(embed_dim, f'dict(embed_dim={embed_dim}, dim_head=...)')
    blocks = [_count(state, rf'mdl\.backbone\.stages\.{i}\.att_blocks\.(\d+)\.') for i in range(4)]
    csp_blocks = _count(state, r'mdl\.fpn\.C3_p4\.m\.(\d+)\.')
    dws = any('.lstm.conv3x3_dws.' in key for key in state)
    return (
        f'  backbone: arch={arch}, in_channels={in_channels}, num_blocks={blocks}, '
        f'lstm_dws_conv={dws}, out_indices=(1, 2, 3)\n'
        f'  neck: in_channels={[embed_dim * f for f in (2, 4, 8)]}, out_channels={hidden}, '
        f'num_csp_blocks={csp_blocks}\n'
        f'    (or an ABCPAFPN with num_aux_levels=1, one more level: {embed_dim} in front of its '
        'in_channels, 0 in front of out_indices)\n'
        f'  head: num_classes={num_classes}, in_channels={hidden}, feat_channels={hidden}, '
        'strides=(8, 16, 32)'
    )


def _count(state: Mapping[str, Any], pattern: str) -> int:
    return len({match[1] for key in state if (match := re.match(pattern, key))})


def _check_batch_norm(model: nn.Module) -> None:
    for name, module in model.named_modules():
        main = not any(part in TRAINING_ONLY for part in name.split('.'))
        if main and isinstance(module, _BatchNorm) and module.eps != BATCH_NORM_EPS:
            raise UserError(
                f'{name} has eps={module.eps}, the batch norms of RVT {BATCH_NORM_EPS}. Put into '
                f'model.{name.split(".")[0]} of the config (main_head, for an ABCHead):\n'
                "  norm_cfg=dict(type='BN', momentum=0.1, eps=1e-5)"
            )


def _class_rows(
    state: Mapping[str, Tensor],
    classes: Sequence[str] | None,
    rvt_classes: Sequence[str] | None,
) -> tuple[list[int] | None, dict[str, str]]:
    """Row of each of the model's classes in RVT's classifiers, and the rows that have none."""
    if rvt_classes is None:
        return None, {}
    num_classes = len(state[CLASSIFIER])
    if len(rvt_classes) != num_classes or len(set(rvt_classes)) != num_classes:
        raise UserError(
            f'The checkpoint tells {num_classes} classes apart, but {len(rvt_classes)} are named: '
            f'{", ".join(rvt_classes)}. Name each of its classes once, in its order.'
        )
    if classes is None:
        raise UserError('The config names no classes; give it classes = (...).')
    unknown = [name for name in classes if name not in rvt_classes]
    if unknown:
        raise UserError(
            f'The checkpoint does not know the class {unknown[0]!r} of the config. It knows '
            f'{", ".join(rvt_classes)}: let the config have classes out of these.'
        )
    left_out = {
        f'mdl.yolox_head.cls_preds.*[{row}]': f'the config has no class {name!r}'
        for row, name in enumerate(rvt_classes)
        if name not in classes
    }
    return [list(rvt_classes).index(name) for name in classes], left_out
