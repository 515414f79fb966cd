"""Writes a recipe down as a config that explains itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .level_choice import task_sizes
from .networks import NETWORKS, Network
from .recipe import Recipe
from .schedule_text import WIDTH, comment, schedule_text


@dataclass(frozen=True)
class DataPaths:
    """Where the data is; all but ``root`` relative to it, or absolute where it is empty.

    Args:
        root: the common folder, with a final slash, or ''.
        train, val: annotation files.
        train_images, val_images: folders, with a final slash, or '' for the root.
    """

    root: str
    train: str
    val: str
    train_images: str
    val_images: str


def config_text(recipe: Recipe, paths: DataPaths, configs: str, command: str) -> str:
    """The config.

    Args:
        recipe: what to write.
        paths: of the data.
        configs: the folder of our configs, as seen from the new file.
        command: that the recipe came from.
    """
    blocks = [
        _head(recipe, configs, command),
        _data(recipe, paths),
        _pipelines(recipe),
        _loaders(recipe, paths),
        _model(recipe),
        schedule_text(recipe),
    ]
    return '\n\n'.join('\n'.join(block) for block in blocks) + '\n'


def _head(recipe: Recipe, configs: str, command: str) -> Iterator[str]:
    yield from comment(f'Written by: {command}')
    yield from comment('Every choice says why; change what you know better.')
    model = {
        'plain': 'yolox_3level',
        'trimmed': 'yolox_trimmed',
        'finer': 'abc_yolox_finer',
    }.get(recipe.levels, 'abc_yolox')
    yield '_base_ = ['
    for name in (f'models/{model}', 'datasets/etram_frames', 'schedules/small'):
        yield f'    {f"{configs}/_base_/{name}.py"!r},'
    yield ']'


def _data(recipe: Recipe, paths: DataPaths) -> Iterator[str]:
    yield f'data_root = {paths.root!r}'
    yield f'data_help = {f"The data was in {paths.root or paths.train_images} before."!r}'
    yield from comment(f'classes: {recipe.why["classes"]}')
    yield from _names('classes', recipe.classes)
    yield from comment(f'small_classes: {recipe.why["small_classes"]}')
    if recipe.small_classes is None or isinstance(recipe.small_classes, str):
        note = '' if recipe.small_classes else '  # for the means of SmallObjectMetric'
        yield f"small_classes = 'all'{note}"
    else:
        yield from _names('small_classes', recipe.small_classes)
    yield from comment(f'img_scale: {recipe.why["img_scale"]}')
    yield f'img_scale = {recipe.img_scale}'
    yield from comment(f'max_iters: {recipe.why["max_iters"]}')
    yield f'max_iters = {recipe.max_iters}'
    yield f'batch_size = {recipe.batch}  # less if memory runs out'
    yield f'lr = {recipe.lr}  # goes with the square root of the batch size'
    yield 'warmup = max_iters // 20'
    yield from comment(f'weights: {recipe.why["weights"]}')
    if recipe.weights is not None:
        yield f'load_from = {recipe.weights!r}'
        yield from comment(
            'For a class whose name does not say it: '
            "default_hooks = dict(pretrained_weights=dict(type='PretrainedWeightsHook', "
            "class_map=dict(drone='bird')))"
        )


def _pipelines(recipe: Recipe) -> Iterator[str]:
    sizes = (0.5, 1.5) if recipe.levels == 'finer' else (0.8, 1.25)
    if recipe.from_above:
        yield from comment(f'from_above: {recipe.why["from_above"]}')
    flips = (
        "prob=[0.25] * 3, direction=['horizontal', 'vertical', 'diagonal']"
        if recipe.from_above
        else 'prob=0.5'
    )
    paste = ''
    if recipe.paste:
        yield from comment(f'SmallObjectCopyPaste: {recipe.why["paste"]}')
        position = 'uniform' if recipe.from_above else 'row'
        paste = f"""
    dict(
        type='SmallObjectCopyPaste',
        small_classes=small_classes,
        classes=classes,
        max_area={recipe.max_area},
        num_objects=(1, 5),
        position={position!r}),"""
    yield f"""train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=img_scale, ratio_range={sizes}, keep_ratio=True),
    dict(type='RandomCrop', crop_size=img_scale, allow_negative_crop=True),{paste}
    dict(type='RandomFlip', {flips}),
    dict(type='PhotoMetricDistortion'),
    dict(type='Pad', size=img_scale, pad_val=dict(img=(114, 114, 114))),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=img_scale, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]"""


def _loaders(recipe: Recipe, paths: DataPaths) -> Iterator[str]:
    workers = NETWORKS[recipe.network].workers
    for split, file, folder, pipeline in (
        ('train', paths.train, paths.train_images, 'train_pipeline'),
        ('val', paths.val, paths.val_images, 'test_pipeline'),
    ):
        yield f"""{split}_dataloader = dict(
    batch_size=batch_size,
    num_workers={workers},
    dataset=dict(
        data_root=data_root,
        ann_file={file!r},
        data_prefix=dict(img={folder!r}),
        metainfo=dict(classes=classes),
        pipeline={pipeline}))"""
    yield 'test_dataloader = val_dataloader'
    root = 'data_root + ' if paths.root else ''
    yield f'val_evaluator = dict(ann_file={root}{paths.val!r}, small_classes=small_classes)'
    yield 'test_evaluator = val_evaluator'


def _model(recipe: Recipe) -> Iterator[str]:
    yield from comment(f'network: {NETWORKS[recipe.network].title} (--network)')
    yield from comment(f'levels: {recipe.why["levels"]}')
    if recipe.levels == 'finer':
        yield from comment(
            'The auxiliary task is left out: it gained nothing on these levels (docs/results.md). '
            'Strides 4 to 32, at about twice the cost: abc_yolox.py as _base_, one more of '
            'in_channels'
        )
    if recipe.levels == 'train_only':
        yield from comment(
            'For stride 4 at inference as well, at about twice the cost: num_aux_levels=0 and '
            'main_head strides (4, 8, 16, 32)'
        )
    if recipe.nwd:
        finer = recipe.levels == 'finer'
        name, boxes = ('NWDBlendLoss', 'all') if finer else ('NWDOverlaps2D', 'these')
        sizes = recipe.sizes.size if finer and recipe.sizes else task_sizes(recipe)
        yield from comment(
            f'{name}: {recipe.why["nwd"]}. Its constant, the mean size of {boxes} boxes, is '
            f'measured when training begins; it will be about {sizes.mean():.1f} px'
        )
    if recipe.gray:
        yield from comment(
            'The images have no colours: a first layer that reads one channel computes the same '
            'for less'
        )
    if 'ignored' in recipe.why:
        yield from comment(f'IgnoreRegionYOLOXHead: {recipe.why["ignored"]}')
    yield 'model = dict('
    network = NETWORKS[recipe.network]
    finer, three = recipe.levels == 'finer', recipe.levels in ('three', 'plain', 'trimmed')
    levels = network.levels[:3] if finer else network.levels[three:]
    backbone = _changed(network, widen_factor=network.width, deepen_factor=network.depth)
    backbone += ['out_indices=(2, 3, 4)'] if recipe.levels == 'three' else []
    backbone += ["type='GrayCSPDarknet'"] if recipe.gray else []
    if backbone:
        yield f'    backbone=dict({", ".join(backbone)}),'
    neck = [f'in_channels={levels}']
    neck += _changed(network, out_channels=network.channels, num_csp_blocks=network.csp_blocks)
    neck += ['num_aux_levels=1'] if recipe.levels == 'train_only' else []
    yield f'    neck=dict({", ".join(neck)}),'
    yield from _head_lines(recipe, network)


def _changed(network: Network, **options: float) -> list[str]:
    """Options in which a network differs from YOLOX-s, which our configs build."""
    usual = dict(
        widen_factor=0.5,
        deepen_factor=0.33,
        out_channels=128,
        num_csp_blocks=1,
        in_channels=128,
        feat_channels=128,
    )
    changed = [f'{key}={value}' for key, value in options.items() if value != usual[key]]
    return changed + (['use_depthwise=True'] if network.depthwise else [])


def _head_lines(recipe: Recipe, network: Network) -> Iterator[str]:
    finer = recipe.levels == 'finer'
    channels = network.channels
    head = ["type='IgnoreRegionYOLOXHead'"] if recipe.ignored else []
    width = head + _changed(
        network, in_channels=channels, feat_channels=channels // 2 if finer else channels
    )
    if recipe.levels in ('plain', 'trimmed'):
        yield f'    bbox_head=dict({", ".join(["num_classes=len(classes)", *width])}))'
        return
    yield '    bbox_head=dict('
    yield '        classes=classes,'
    yield '        small_classes=small_classes,'
    if finer:
        yield '        use_auxiliary=False,'
        yield '        main_head=dict('
        yield from (f'            {option},' for option in width)
        yield '            loss_bbox=dict('
        yield "                iou_loss=dict(type='NWDBlendLoss', share=0.5, max_area=24**2)))))"
        return
    if recipe.max_area is not None:
        yield f'        max_area={recipe.max_area:g},  # pixels² of the network input'
    yield f'        main_head=dict({", ".join(["strides=(8, 16, 32)", *width])}),'
    aux = ['strides=(8,)'] if recipe.levels == 'three' else []
    aux += [f'in_channels={channels}'] if channels != 128 else []
    if channels < 128:
        aux += [f'feat_channels={2 * channels // 3}', f'use_depthwise={network.depthwise}']
    if recipe.nwd:
        yield '        aux_head=dict('
        yield from (f'            {option},' for option in aux)
        yield '            train_cfg=dict('
        yield '                assigner=dict('
        yield "                    type='FastSimOTAAssigner',"
        yield "                    iou_calculator=dict(type='NWDOverlaps2D')))),"
    elif aux:
        yield f'        aux_head=dict({", ".join(aux)}),'
    yield '        # The usual weight of an auxiliary branch (YOLOv7)'
    yield '        multi_task_loss=dict(aux_weight=0.25)))'


def _names(variable: str, names: Sequence[str]) -> Iterator[str]:
    line = f'{variable} = {tuple(names)!r}'
    if len(line) <= WIDTH:
        yield line
        return
    yield f'{variable} = ('
    lines: list[str] = []
    for name in names:
        word = f'{name!r},'
        if lines and len(lines[-1]) + len(word) < WIDTH:
            lines[-1] += f' {word}'
        else:
            lines.append(f'    {word}')
    yield from lines
    yield ')'
