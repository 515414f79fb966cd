"""Write an ABC checkpoint as one of the plain detector: abc_to_plain.py CHECKPOINT OUT."""

import argparse

from abc_mmdet.apis import check_checkpoint, file_mistakes, user_messages
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.checkpoints.conversion import write_plain_checkpoint
from abc_mmdet.checkpoints.loading import add_trust_option


def main() -> None:
    parser = argparse.ArgumentParser(
        description='Write an ABC checkpoint as one of the plain detector: the main head becomes '
        'the bbox_head, and what only the auxiliary task used is left out.'
    )
    parser.add_argument('checkpoint', help='checkpoint of an ABC training run')
    parser.add_argument('out', help='file to write')
    add_trust_option(parser)
    args = parser.parse_args()
    check_checkpoint(args.checkpoint, 'checkpoint')
    check_outputs({'OUT': args.out}, [args.checkpoint])
    with file_mistakes():
        kept, left_out = write_plain_checkpoint(args.checkpoint, args.out)
    print(f'{args.out}: {kept} tensors, {left_out} of the auxiliary task left out')


if __name__ == '__main__':
    with user_messages():
        main()
