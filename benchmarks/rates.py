"""What other lengths of windows cost a detector that was trained at one of them.

Memory counts in steps: a network that was trained at 50 ms forgets five times as fast at 10 ms, and
sees a fifth of the events in a window. The same weights are evaluated at each rate, with the memory
as it is and forgetting by time (``model.step_ms``). Convert the validation recordings at each rate:

    abc-mmdet convert event-recordings RAW data/etram_25 --dataset etram --window-ms 25 --step-ms 25
    abc-mmdet convert event-recordings RAW data/etram_50_25 --dataset etram --step-ms 25
    python benchmarks/rates.py CONFIG CHECKPOINT --trained-at 50
        --rates 50=data/etram 25=data/etram_25 50/25=data/etram_50_25 [--json FILE]

``50/25`` are windows of 50 ms, one every 25 ms: as many events as in training, more often.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from mmengine.config import DictAction
from tested_experiment import show, test_metrics

import abc_mmdet  # noqa: F401
from abc_mmdet.apis import load_experiment, user_messages

COLUMNS = {
    'mAP': 'bbox_mAP',
    'mAP_s': 'bbox_mAP_s',
    'small classes': 'bbox_mAP_small_classes',
    'mAP_50': 'bbox_mAP_50',
}


class Rate(NamedTuple):
    """Windows of ``window`` milliseconds, one every ``step``, below a folder."""

    window: float
    step: float
    folder: str

    @classmethod
    def of(cls, text: str) -> Rate:
        """``WINDOW=FOLDER`` or ``WINDOW/STEP=FOLDER``."""
        lengths, _, folder = text.partition('=')
        window, _, step = lengths.partition('/')
        try:
            return cls(float(window), float(step or window), folder)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f'{text!r} is not WINDOW=FOLDER or WINDOW/STEP=FOLDER, such as 25=data/etram_25'
            ) from None

    def __str__(self) -> str:
        more = '' if self.step == self.window else f' every {self.step:g} ms'
        return f'{self.window:g} ms{more}'


def evaluate(args: argparse.Namespace, rate: Rate, step_ms: float | None) -> dict[str, float]:
    """The test metrics on the recordings at a rate."""
    config = load_experiment(args.config, args.cfg_options, args.work_dir)
    dataset = config.test_dataloader.dataset
    bins = dataset.get('representation', 'nbins=10').rpartition('nbins=')[2]
    dataset.data_root = rate.folder
    dataset.representation = f'stacked_histogram_dt={rate.window:g}_nbins={bins}'
    config.model.step_ms = step_ms
    return test_metrics(config, args.checkpoint, COLUMNS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--trained-at', type=float, required=True, metavar='MS')
    parser.add_argument(
        '--rates', type=Rate.of, nargs='+', required=True, metavar='WINDOW[/STEP]=FOLDER'
    )
    parser.add_argument('--work-dir', help='where logs go')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    parser.add_argument('--json', type=Path, help='write the figures to this file')
    args = parser.parse_args()
    rows = {}
    for rate in args.rates:
        for name, step_ms in (('in steps', None), ('by time', args.trained_at)):
            if rate.step == args.trained_at and step_ms is not None:
                continue  # the same
            rows[f'{rate}, forgets {name}'] = evaluate(args, rate, step_ms)
    show('windows', rows, args.json)


if __name__ == '__main__':
    with user_messages():
        main()
