"""Write a checkpoint of RVT as one of ours: rvt_to_abc.py CKPT OUT --config CONFIG."""

import argparse
from collections.abc import Sequence

import abc_mmdet  # noqa: F401  first: it says in a word when its import is interrupted

# isort: split
from mmengine.config import Config
from mmengine.registry import init_default_scope

from abc_mmdet.apis import (
    check_checkpoint,
    config_mistakes,
    file_mistakes,
    load_experiment,
    user_messages,
)
from abc_mmdet.apis.config_parts import common
from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.checkpoints.content import write_checkpoint
from abc_mmdet.checkpoints.loading import add_trust_option
from abc_mmdet.datasets.events.catalogue import CATALOGUE
from abc_mmdet.models.rvt_checkpoint import convert_rvt, read_rvt_state
from mmdet.registry import MODELS


def main() -> None:
    parser = argparse.ArgumentParser(
        description='Write a Lightning checkpoint of RVT as one that our tools test and fine-tune.'
    )
    parser.add_argument('checkpoint', help='the .ckpt of RVT')
    parser.add_argument('out', help='file to write')
    parser.add_argument(
        '--config',
        default='configs/baseline_3level_100k.py',
        help='config of the detector, with levels at strides 8, 16, 32 (default: %(default)s)',
    )
    names = parser.add_mutually_exclusive_group()
    names.add_argument('--classes', nargs='+', help='class names of the checkpoint, in its order')
    names.add_argument(
        '--dataset',
        choices=CATALOGUE,
        help='data set the checkpoint was trained on, for its class names (default: the '
        'checkpoint has the classes of the config in the same order)',
    )
    add_trust_option(parser)
    args = parser.parse_args()
    check_checkpoint(args.checkpoint, 'checkpoint')
    config = load_experiment(args.config)
    check_outputs({'OUT': args.out}, [args.checkpoint, args.config], config)
    classes = config_classes(config)
    state = read_rvt_state(args.checkpoint)
    with config_mistakes(args.config):
        init_default_scope(config.get('default_scope', 'mmdet'))
        model = MODELS.build(config.model)

    rvt_classes = args.classes
    if args.dataset:
        entry = CATALOGUE[args.dataset]
        rvt_classes = entry.classes[: entry.kept]
    elif not rvt_classes:
        print(
            'The classes of the checkpoint are taken for those of the config, in this order: '
            + (', '.join(classes) if classes else 'not named')
        )
    converted, unused = convert_rvt(state, model, classes, rvt_classes)
    meta = dict(dataset_meta=dict(classes=tuple(classes))) if classes else {}
    with file_mistakes():
        write_checkpoint(converted, meta, args.out)

    split = config.model.backbone.get('partition_split', 2)
    print(
        'Weights do not tell how RVT split its maps: partition_split=1 on Gen1, 2 on 1 Megapixel '
        f'and eTraM. The config has {split}.'
    )
    for key, reason in unused.items():
        print(f'not used: {key} ({reason})')
    unfilled = len(model.state_dict()) - len(converted)
    if unfilled:
        print(f'left as initialised: {unfilled} tensors of the auxiliary task, which RVT lacks')
    print(f'{args.out}: {len(converted)} tensors')


def config_classes(config: Config) -> Sequence[str] | None:
    """Class names of an experiment: of its head, its variable ``classes`` or its training data."""
    return (
        config.model.bbox_head.get('classes')
        or config.get('classes')
        or common(config, 'train_dataloader', 'metainfo', 'classes')
    )


if __name__ == '__main__':
    with user_messages():
        main()
