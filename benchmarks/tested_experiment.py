"""The test metrics of an experiment that a benchmark has changed, and a table of them."""

import json
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from abc_mmdet.apis import check_checkpoint, check_data


def test_metrics(config: Config, checkpoint: str, columns: Mapping[str, str]) -> dict[str, float]:
    """By the names of the columns.

    Raises:
        UserError: no such checkpoint or data.
    """
    check_checkpoint(checkpoint, 'checkpoint')
    check_data(config, 'test_dataloader')
    config.load_from = checkpoint
    config.log_level = 'WARNING'
    metrics = Runner.from_cfg(config).test()
    return {name: float(metrics[f'coco/{key}']) for name, key in columns.items()}


def show(title: str, rows: Mapping[str, Mapping[str, float]], file: Path | None) -> None:
    """Print rows with the same columns, and write them to a file."""
    width = max(map(len, (title, *rows))) + 1
    columns = list(next(iter(rows.values())))
    print(f'\n{title:<{width}}' + ''.join(f'{name:>15}' for name in columns))
    for name, row in rows.items():
        print(f'{name:<{width}}' + ''.join(f'{value:>15.3f}' for value in row.values()))
    if file:
        file.write_text(json.dumps(rows, indent=2) + '\n')
