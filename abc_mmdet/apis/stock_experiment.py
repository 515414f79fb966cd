"""Config and checkpoint of an experiment for stock MMDetection, checked and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from abc_mmdet.apis.inference_model import named_in_config
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.apis.stock_config import to_stock_config
from abc_mmdet.apis.user_messages import config_mistakes
from abc_mmdet.errors import UserError
from abc_mmdet.models.checkpoint_content import read_checkpoint
from abc_mmdet.models.checkpoint_fit import Target, load_fitting
from abc_mmdet.models.plain_checkpoint import to_plain, write_checkpoint
from abc_mmdet.whole_file import write_whole
from mmdet.registry import MODELS

SIDE = 128  # pixels; a multiple of every stride in use


class StockExperiment(NamedTuple):
    """What was written, and what had to be changed for it."""

    config: Path
    checkpoint: Path
    changes: list[str]
    num_tensors: int
    num_left_out: int


def write_stock_experiment(config: Config, checkpoint: str, out_dir: str) -> StockExperiment:
    """Write an experiment so that it runs where this package is not installed.

    Before anything is written, both detectors look at the same random picture, and their raw
    outputs have to be equal to the last bit.

    Args:
        config: the experiment.
        checkpoint: its weights, from a training run.
        out_dir: folder for both files; they keep their names.

    Raises:
        UserError: a part that stock MMDetection cannot run, a checkpoint of another model, or
            files that would overwrite those they were made from.
    """
    name = Path(config.filename or 'config.py').stem
    paths = Path(out_dir, f'{name}.py'), Path(out_dir, f'{Path(checkpoint).stem}.pth')
    outputs = {'the new config': paths[0], 'the new checkpoint': paths[1]}
    check_outputs(outputs, [checkpoint], config)
    stock, changes = to_stock_config(config)
    loaded = read_checkpoint(checkpoint)
    init_default_scope(config.get('default_scope', 'mmdet'))
    with config_mistakes(str(config.filename)):
        ours, theirs = MODELS.build(config.model), MODELS.build(stock.model)
    classes = named_in_config(config)
    load_fitting(loaded, Target(ours, str(config.filename), classes), checkpoint)
    plain = to_plain(loaded['state_dict'])
    # What ours has beside it is for training; whether it does without is seen in the outputs
    kept = {name: plain[name] for name in theirs.state_dict() if name in plain}
    stock_config = f'the plain detector of {config.filename}'
    load_fitting(dict(state_dict=kept), Target(theirs, stock_config), checkpoint)
    _compare(ours.eval(), theirs.eval())

    write_checkpoint(kept, loaded['meta'], str(paths[1]))
    write_whole(paths[0], stock.pretty_text.encode())
    return StockExperiment(*paths, changes, len(kept), len(loaded['state_dict']) - len(kept))


def _compare(ours: nn.Module, theirs: nn.Module) -> None:
    mean = getattr(ours.data_preprocessor, 'mean', None)
    channels = 3 if mean is None else len(mean)
    picture = torch.rand(1, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        if not _equal(ours(picture), theirs(picture)):
            raise UserError(
                'The plain detector does not give the outputs of this one, so nothing was '
                'written. Does the backbone do without its finest outputs (model.backbone.'
                'out_indices) what it did with them?'
            )


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
