"""Networks to choose from, and how each is trained: weights, learning rate, length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from abc_mmdet.checkpoints.names import match_classes
from abc_mmdet.errors import UserError
from mmdet.datasets import CocoDataset

NO_WEIGHTS = 'none'
_MMDETECTION = 'https://download.openmmlab.com/mmdetection/v2.0/yolox'
_MEGVII = 'https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0'


@dataclass(frozen=True)
class Network:
    """What a size of network goes with.

    Args:
        title: for the comment.
        width, depth: of the backbone, as shares of YOLOX-l.
        channels: of pyramid and head.
        weights: where its COCO weights are to be had; None if there are none.
        depthwise: whether its convolutions are.
        longest: the longest edge of the input that is proposed.
        pixels: of a batch.
        batches: batch sizes to choose from, the largest first.
        lr: learning rate of the largest batch from scratch; with the square root of others, and
            half of it for fine-tuning.
        passes: how often training from scratch sees every image; half as often for fine-tuning.
        iterations: the fewest and the most from scratch; half as many for fine-tuning.
        workers: of a data loader.
        validations: during a training.
        trimmed, trimmed_gray: which share of its FLOPs remains without stride 32
            (``_base_/models/yolox_trimmed.py``), and without colours as well; None where it has not
            been measured what that brings.
    """

    title: str
    width: float
    depth: float
    channels: int
    weights: str | None
    depthwise: bool = False
    longest: int = 1280
    pixels: int = 16 * 640 * 512
    batches: tuple[int, ...] = (16, 8, 4, 2)
    lr: float = 2e-3
    passes: int = 60
    iterations: tuple[int, int] = (3000, 100_000)
    workers: int = 4
    validations: int = 10
    trimmed: float | None = None
    trimmed_gray: float | None = None

    def share(self, gray: bool) -> float | None:
        """Which share of its FLOPs remains without stride 32, and without colours where gray."""
        return self.trimmed_gray if gray else self.trimmed

    @property
    def levels(self) -> list[int]:
        """Channels of the backbone at strides 4, 8, 16, 32."""
        return [int(channels * self.width) for channels in (128, 256, 512, 1024)]

    @property
    def csp_blocks(self) -> int:
        """Bottlenecks of a block of the pyramid."""
        return round(3 * self.depth)


def _for_cpu(title: str, channels: int, depthwise: bool, weights: str | None) -> Network:
    return Network(
        title,
        width=0.25,
        depth=0.33,
        channels=channels,
        weights=weights,
        depthwise=depthwise,
        longest=640,
        pixels=4 * 512 * 416,
        batches=(4, 2),
        lr=1e-3,
        passes=12,
        iterations=(1000, 12_000),
        workers=2,
        validations=4,
        trimmed=0.775 if weights else None,
        trimmed_gray=0.675 if weights else None,
    )


def _of_mmdetection(name: str, date: str) -> str:
    folder = f'yolox_{name}_8x8_300e_coco'
    return f'{_MMDETECTION}/{folder}/{folder}_{date}.pth'


NETWORKS = {
    'nano': _for_cpu('YOLOX-Nano, for a CPU', 64, True, f'{_MEGVII}/yolox_nano.pth'),
    'tiny': Network(
        *('YOLOX-tiny, for a GPU', 0.375, 0.33, 96),
        _of_mmdetection('tiny', '20211124_171234-b4047906'),
    ),
    's': Network(
        *('YOLOX-s, for a GPU', 0.5, 0.33, 128), _of_mmdetection('s', '20211121_095711-4592a793')
    ),
    # MMDetection has no weights of YOLOX-m
    'm': Network('YOLOX-m, for a GPU', 0.75, 0.67, 192, f'{_MEGVII}/yolox_m.pth'),
    'l': Network(
        *('YOLOX-l, for a GPU', 1.0, 1.0, 256),
        _of_mmdetection('l', '20211126_140236-d3bd2b23'),
        pixels=8 * 640 * 512,
        batches=(8, 4, 2),
    ),
    'x': Network(
        *('YOLOX-x, for a GPU', 1.25, 1.33, 320),
        _of_mmdetection('x', '20211126_140254-1ef88d67'),
        pixels=8 * 640 * 512,
        batches=(8, 4, 2),
    ),
    'narrow': _for_cpu('a narrow network, for a CPU and without COCO weights', 48, False, None),
}


def find_weights(network: str, weights: str | None) -> str | None:
    """The file or address that a network's training starts from; None for from scratch.

    Args:
        network: a key of :data:`NETWORKS`.
        weights: None for those of the network, a key of :data:`NETWORKS`, a file or address, or
            :data:`NO_WEIGHTS`.

    Raises:
        UserError: no such file, or weights of another network.
    """
    if weights == NO_WEIGHTS or (weights is None and NETWORKS[network].weights is None):
        return None
    if weights is None or weights == network:
        return NETWORKS[network].weights
    if weights in NETWORKS:
        raise UserError(
            f'--weights {weights} are those of another network than --network {network}: give one '
            f'of the two, or --weights {NO_WEIGHTS}.'
        )
    if '://' not in weights and not Path(weights).is_file():
        raise UserError(
            f'--weights {weights}: there is no such file (from {Path.cwd()}). Give a checkpoint, '
            f'one of {", ".join(NETWORKS)}, or {NO_WEIGHTS} to train from scratch.'
        )
    return weights if '://' in weights else str(Path(weights).absolute())


if TYPE_CHECKING:
    from .recipe import Recipe


def choose_weights(recipe: Recipe) -> None:
    """How fast the backbone learns from where it starts; ``weights`` and ``classes`` are known."""
    if recipe.weights is None:
        recipe.why['weights'] = 'none: from scratch, which needs far more data than fine-tuning'
        return
    matched = match_classes(recipe.classes, CocoDataset.METAINFO['classes'])
    named = ', '.join(f'{name} <- {source}' for name, source in matched.items() if source)
    recipe.slow_backbone = any(matched.values())
    recipe.why['slow_backbone'] = (
        'a tenth of the learning rate for the backbone, which knows objects like these: '
        if recipe.slow_backbone
        else 'the same learning rate for the backbone, which has seen nothing like this: '
    ) + 'measured in docs/results.md'
    recipe.why['weights'] = 'of a detector trained on COCO, if it is not yours. ' + (
        f'Class rows start from those of the same name ({named}); others from the mean of all'
        if named
        else 'No class has a counterpart in COCO: their rows start from the mean of all'
    )


def choose_training(recipe: Recipe, num_images: int, iterations: int | None) -> None:
    """Batch, learning rate and length; the size of the network's input is known.

    Args:
        recipe: gets them.
        num_images: of the training.
        iterations: given by the user.
    """
    network = NETWORKS[recipe.network]
    width, height = recipe.img_scale
    remaining = network.share(recipe.gray) if recipe.levels == 'trimmed' else None
    room = network.pixels / (remaining or 1)  # a trimmed network has the larger input for its work
    fitting = [batch for batch in network.batches if batch * width * height <= room]
    recipe.batch = fitting[0] if fitting else network.batches[-1]
    share = 1.0 if recipe.weights is None else 0.5
    recipe.lr = round(share * network.lr * math.sqrt(recipe.batch / network.batches[0]), 5)
    fewest, most = (int(share * number) for number in network.iterations)
    wanted = share * network.passes * num_images / recipe.batch
    recipe.max_iters = iterations or int(min(max(round(wanted, -2), fewest), most))
    passes = recipe.max_iters * recipe.batch / num_images
    bound = {fewest: ', the fewest proposed', most: ', the most proposed'}
    recipe.why['max_iters'] = (
        f'{passes:.3g} passes over {num_images} images in batches of {recipe.batch}'
        + (', as asked for' if iterations else bound.get(recipe.max_iters, ''))
    )
