"""The mean of the weights of several fine-tunings: average.py CHECKPOINT ... --out FILE."""

import argparse

import abc_mmdet  # noqa: F401  before mmdet: it provides what mmdet.models imports
from abc_mmdet.apis import check_checkpoint, file_mistakes, user_messages
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.checkpoints.conversion import write_average
from abc_mmdet.checkpoints.loading import add_trust_option


def main() -> None:
    parser = argparse.ArgumentParser(
        description='Write the mean of the weights of several trainings that started from the same '
        'pretrained weights (other seeds, other options): one network, often better than each.'
    )
    parser.add_argument('checkpoints', nargs='+', metavar='CHECKPOINT')
    parser.add_argument('--out', required=True, metavar='FILE')
    add_trust_option(parser)
    args = parser.parse_args()
    for checkpoint in args.checkpoints:
        check_checkpoint(checkpoint, 'CHECKPOINT')
    check_outputs({'--out': args.out}, args.checkpoints)
    with file_mistakes():
        count = write_average(args.checkpoints, args.out)
    print(f'{args.out}: {count} tensors, the mean of {len(args.checkpoints)} checkpoints')


if __name__ == '__main__':
    with user_messages():
        main()
