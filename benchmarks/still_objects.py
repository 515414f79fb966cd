"""What memory is worth: one detector, streamed and with its state reset at every step.

Objects that stand still send no events. A detector that remembers can still report them; the same
weights without memory cannot. Both are evaluated on the test data set of a config whose evaluator
has ``subsets=('still',)``.

    python benchmarks/still_objects.py CONFIG CHECKPOINT [--json FILE]
"""

import argparse
import json
from pathlib import Path

from mmengine.runner import Runner

import abc_mmdet  # noqa: F401
from abc_mmdet.apis import check_checkpoint, check_data, load_experiment, user_messages
from abc_mmdet.errors import UserError

COLUMNS = {
    'mAP': 'bbox_mAP',
    'mAP_50': 'bbox_mAP_50',
    'still mAP': 'bbox_mAP_still',
    'still mAP_50': 'bbox_mAP_50_still',
}


def evaluate(args: argparse.Namespace, reset: bool) -> dict[str, float]:
    """The test metrics, with the memory as it is or reset at every step."""
    config = load_experiment(args.config, work_dir=args.work_dir)
    check_checkpoint(args.checkpoint, 'checkpoint')
    check_data(config, 'test_dataloader')
    if 'still' not in config.test_evaluator.get('subsets', ()):
        raise UserError(f"{args.config}: its test_evaluator needs subsets=('still',).")
    config.load_from = args.checkpoint
    config.model.reset_every_step = reset
    config.log_level = 'WARNING'
    metrics = Runner.from_cfg(config).test()
    return {name: float(metrics[f'coco/{key}']) for name, key in COLUMNS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--work-dir', help='where logs go')
    parser.add_argument('--json', type=Path, help='write the figures to this file')
    args = parser.parse_args()
    rows = {
        'streamed': evaluate(args, reset=False),
        'reset at every step': evaluate(args, reset=True),
    }
    print('\n' + f'{"memory":<22}' + ''.join(f'{name:>14}' for name in COLUMNS))
    for memory, row in rows.items():
        print(f'{memory:<22}' + ''.join(f'{value:>14.3f}' for value in row.values()))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + '\n')


if __name__ == '__main__':
    with user_messages():
        main()
