"""One HTML page about test results: report.py CONFIG --results NAME=detections.bbox.json."""

import argparse
import math
import os
import sys
from pathlib import Path

import abc_mmdet  # noqa: F401  before mmdet: it provides what mmdet.models imports
from abc_mmdet.apis import check_data, file_mistakes, load_experiment, user_messages
from abc_mmdet.apis.options import ConfigOptions, whole_number
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.apis.test_record import read_record, record_path
from abc_mmdet.errors import UserError
from abc_mmdet.report import (
    Curve,
    evaluate,
    load_test_set,
    read_detections,
    render,
    training_curves,
    write_page,
)


def named_path(text: str) -> tuple[str, Path]:
    """``NAME=PATH``; without a name, that of the folder the file is in."""
    name, equals, path = text.partition('=')
    if not equals:
        return Path(os.path.abspath(text)).parent.name, Path(text)
    if not name or not path:
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form NAME=PATH')
    return name, Path(path)


def share(text: str) -> float:
    """A score."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'{text} is not between 0 and 1')
    return value


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Make one HTML page, without external resources, from the results of '
        'tools/test.py --out NAME.bbox.json on one data set, of images or of event recordings.'
    )
    parser.add_argument('config', help='config whose test data the results are of')
    parser.add_argument(
        '--results',
        nargs='+',
        required=True,
        type=named_path,
        metavar='NAME=FILE',
        help='detections as COCO results; the first is the baseline of the comparison',
    )
    parser.add_argument(
        '--logs',
        nargs='+',
        default=[],
        type=named_path,
        metavar='NAME=WORK_DIR',
        help='where results of these names were trained: adds validations, conflicts and losses',
    )
    parser.add_argument('--out', default='report.html', type=Path, help='file to write')
    parser.add_argument('--title', default='Detection report', help='heading of the page')
    parser.add_argument(
        '--score-thr',
        type=share,
        help='least score for confusion matrix and mistakes; default: where each result has its '
        'best F1',
    )
    parser.add_argument(
        '--gallery',
        type=whole_number,
        default=12,
        help='false negatives, false positives and small hits to show per result; 0 for none '
        '(needs no images then)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        help='overrides, as those of the test: key.subkey=value, data_root, classes, ...',
    )
    return parser.parse_args()


def check_names(args: argparse.Namespace) -> None:
    """Every result has a name of its own, and logs belong to results."""
    names = [name for name, _ in args.results]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f'--results: {twice} are named more than once; write NAME=FILE.')
    unknown = [name for name, _ in args.logs if name not in names]
    if unknown:
        raise UserError(f'--logs names {unknown}, but the results are named {names}.')


def curves_or_note(name: str, work_dir: Path) -> list[Curve]:
    curves = training_curves(name, work_dir)
    if not any('loss' in curve.key for curve in curves):
        print(
            f'--logs {name}={work_dir}: no losses were logged, so the page has no curves of them. '
            'Was the training shorter than default_hooks.logger.interval?',
            file=sys.stderr,
        )
    return curves


def main() -> None:
    args = parse_args()
    check_names(args)
    config = load_experiment(args.config, args.cfg_options)
    logs = [log for _, path in args.logs for log in path.glob('*/vis_data/*')]
    results_read = [path for _, path in args.results]
    results_read += [record_path(path) for path in results_read]
    check_outputs({'--out': args.out}, [args.config, *results_read, *logs], config)
    if args.gallery:
        check_data(config, 'test_dataloader')
    with file_mistakes():
        test_set = load_test_set(config)
        found = {name: read_detections(path, test_set) for name, path in args.results}
        if not any(found.values()):
            raise UserError(
                'None of the results has a detection. Was the right checkpoint tested, and is '
                'model.test_cfg.score_thr low enough?'
            )
        curves = [curve for name, path in args.logs for curve in curves_or_note(name, path)]
        results = [
            evaluate(name, str(path), test_set, found[name], args.score_thr)
            for name, path in args.results
        ]
        records = {name: r for name, path in args.results if (r := read_record(path))}
        page = render(results, curves, args.gallery, args.title, args.config, records)
        write_page(args.out, page)
    for result in results:
        shown = {k: v for k, v in result.named.items() if k.startswith('bbox_mAP')}
        print(result.name, *(f'{k} {v:.3f}' for k, v in shown.items() if not math.isnan(v)))
    print(f'{args.out}: open it in a browser')


if __name__ == '__main__':
    with user_messages():
        main()
