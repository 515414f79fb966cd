"""What a checkpoint holds: weights, meta information, class names."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import atomic_write

from .loading import read

_WRAPPERS = ('state_dict', 'ema', 'model', 'model_state_dict', 'module', 'ema_state_dict')
_STEPS = 'steps'  # of MMEngine's averaged weights, beside the tensors of the network
_DEEPEST = 4  # wrappers in each other; a pickle can hold itself


def read_checkpoint(path: str) -> dict[str, Any]:
    """Weights (``state_dict``) and meta information (``meta``) of a checkpoint, on the CPU.

    Raises:
        UserError: it cannot be read, would run code, or holds no finite weights.
    """
    loaded = read(path)
    return dict(meta=meta_of(loaded, path), state_dict=weights_of(loaded, path))


def weights_of(checkpoint: Any, file: str) -> dict[str, Tensor]:
    """The weights of a checkpoint by the names it has for them, below whatever wrapper it has.

    A bare state dict and names that begin with ``module.`` are as good as what MMEngine writes, and
    so are names with ``_orig_mod``, which ``torch.compile`` puts in, and averaged weights alone.

    Args:
        checkpoint: what the file holds.
        file: its path, for the message.

    Raises:
        UserError: there are no tensors in it, or some of their values are NaN or infinite.
    """
    weights = named_tensors(checkpoint)
    if not weights:
        raise UserError(
            f'{file} holds no weights: {_described(checkpoint)}. Give a checkpoint of a training '
            'run, which has them as state_dict.'
        )
    check_finite(weights, file)
    return weights


def named_tensors(checkpoint: Any) -> dict[str, Tensor]:
    """The tensors of a checkpoint below whatever wrapper it has, by their names; none without any.

    Known are checkpoints of MMEngine (``state_dict``, or ``ema_state_dict`` alone) and of Megvii's
    YOLOX (``model``, and ``ema`` where averaged weights have a place of their own), a bare state
    dict, and names with ``module.`` before or ``_orig_mod.`` in them. Averages that MMDetection 2
    kept beside the weights (``ema_*``) are left out: its checkpoints have them under the usual
    names.
    """
    found: Any = checkpoint
    for _ in range(_DEEPEST):
        if isinstance(found, Mapping) and not any(map(_is_weight, found.values())):
            found = next(
                (found[key] for key in _WRAPPERS if isinstance(found.get(key), Mapping)), None
            )
    if not isinstance(found, Mapping):
        return {}
    return {
        name.replace('_orig_mod.', '').removeprefix('module.'): value
        for name, value in found.items()
        if _is_weight(value)
        and isinstance(name, str)
        and not name.startswith('ema_')
        and name != _STEPS
    }


def check_finite(weights: Mapping[str, Tensor], file: str) -> None:
    """Refuse weights with which a network finds nothing, without saying so.

    Raises:
        UserError: NaN or infinite values; the message names the first tensors that have some.
    """
    bad = [n for n, v in weights.items() if v.is_floating_point() and not v.isfinite().all()]
    if bad:
        more = ', ...' if len(bad) > 3 else ''
        raise UserError(
            f'{file}: {len(bad)} of {len(weights)} tensors hold NaN or infinite values '
            f'({", ".join(bad[:3])}{more}). The training diverged: use an earlier checkpoint.'
        )


def meta_of(checkpoint: Any, file: str) -> Mapping[str, Any]:
    """The meta information of a checkpoint; empty if it has none.

    Raises:
        UserError: something else is in its place.
    """
    meta = checkpoint.get('meta') if isinstance(checkpoint, Mapping) else None
    if meta is not None and not isinstance(meta, Mapping):
        raise UserError(
            f'{file}: its meta information is a {type(meta).__name__} in place of a dict: it was '
            'not written by a training run of MMEngine. Its weights alone, as a state_dict, do.'
        )
    return meta or {}


def classes_of(meta: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Class names in the meta information, of MMDetection 2 or 3; None without any."""
    for place in (meta.get('dataset_meta'), meta):
        for key in ('classes', 'CLASSES'):
            names: str | Sequence[str] | None = (
                place.get(key) if isinstance(place, Mapping) else None
            )
            if names:
                return (names,) if isinstance(names, str) else tuple(map(str, names))
    return None


def _is_weight(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided


def _described(checkpoint: Any) -> str:
    if not isinstance(checkpoint, Mapping):
        return f'it is a {type(checkpoint).__name__}'
    return f'it has {", ".join(map(str, list(checkpoint)[:5])) or "nothing"}, and no tensors there'


def write_checkpoint(state_dict: Mapping[str, Any], meta: Mapping[str, Any], out: str) -> None:
    """Write weights, and of a run's meta information what other runs can use.

    Raises:
        UserError: a place that cannot be written to.
    """
    kept = {key: meta.get(key) for key in ('dataset_meta', 'iter', 'epoch') if key in meta}
    content = io.BytesIO()
    torch.save(dict(meta=kept, state_dict=dict(state_dict)), content)
    atomic_write(Path(out), content.getvalue())
