"""What memory is worth: one detector, streamed and with its state reset at every step.

Objects that stand still send no events. A detector that remembers can still report them; the same
weights without memory cannot. Both are evaluated on the test data set of a config whose evaluator
has ``subsets=('still',)``.

    python benchmarks/still_objects.py CONFIG CHECKPOINT [--json FILE]
"""

import argparse
from pathlib import Path

from tested_experiment import show, test_metrics

import abc_mmdet  # noqa: F401
from abc_mmdet.apis import load_experiment, user_messages
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
    if 'still' not in config.test_evaluator.get('subsets', ()):
        raise UserError(f"{args.config}: its test_evaluator needs subsets=('still',).")
    config.model.reset_every_step = reset
    return test_metrics(config, args.checkpoint, COLUMNS)


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
    show('memory', rows, args.json)


if __name__ == '__main__':
    with user_messages():
        main()
