"""Leave this package behind: to_mmdet.py CONFIG CHECKPOINT OUT_DIR, for plain MMDetection."""

import argparse

import abc_mmdet  # noqa: F401  before mmdet: it provides what mmdet.models imports
from abc_mmdet.apis import check_checkpoint, file_mistakes, load_experiment, user_messages
from abc_mmdet.apis.options import ConfigOptions
from abc_mmdet.checkpoints.loading import add_trust_option
from abc_mmdet.deployment.mmdet_export import write_mmdet_experiment


def main() -> None:
    parser = argparse.ArgumentParser(
        description='Write config and checkpoint of an experiment so that they run in MMDetection '
        'without abc_mmdet installed, with the same detections to the last bit.'
    )
    parser.add_argument('config', help='config the checkpoint was trained with')
    parser.add_argument('checkpoint', help='checkpoint of that run')
    parser.add_argument('out_dir', help='folder to write both to')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        help='overrides, as those of the training run: key.subkey=value, data_root, classes, ...',
    )
    add_trust_option(parser)
    args = parser.parse_args()
    config = load_experiment(args.config, args.cfg_options)
    check_checkpoint(args.checkpoint, 'checkpoint')
    with file_mistakes():
        written = write_mmdet_experiment(config, args.checkpoint, args.out_dir)
    print('\n'.join(written.changes))
    print(f'{written.checkpoint}: {written.num_tensors} tensors, {written.num_left_out} left out')
    print(f'{written.config}: gives the same outputs')


if __name__ == '__main__':
    with user_messages():
        main()
