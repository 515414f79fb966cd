import json
from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

import mmdet
from abc_mmdet.apis import load_experiment
from abc_mmdet.apis.run_length import check_length
from abc_mmdet.custom_dataset import NewExperiment, check_dataset, write_experiment
from abc_mmdet.errors import UserError
from abc_mmdet.models import ABCHead
from abc_mmdet.models.wasserstein import nwd_constants
from mmdet.registry import DATASETS, METRICS, MODELS

from .conftest import NAMES, change, content, draw

CONFIGS = Path(__file__).parents[2] / 'configs'


def write(data: Path, name: str = 'mine.py', **options: object) -> NewExperiment:
    given = dict(
        out=data / name,
        configs=CONFIGS,
        train=str(data / 'train.json'),
        val=str(data / 'val.json'),
        images=[str(data / 'images')],
        network='narrow',
        weights='none',
    )
    return write_experiment(**(given | options))  # type: ignore[arg-type]


def loss_of(config: Config) -> torch.Tensor:
    """Of two training images, through the config's own pipeline; backward has run."""
    dataset = DATASETS.build(config.train_dataloader.dataset)
    model = MODELS.build(config.model).train()
    for _, constant in nwd_constants(model):
        constant.value = 6.0  # NWDConstantHook measures it in training
    batch = model.data_preprocessor(pseudo_collate([dataset[0], dataset[1]]), True)
    total, _ = model.parse_losses(model(**batch, mode='loss'))
    total.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    return total


SIDES = {  # of the boxes of the third class -> what is chosen
    'finer': (6, dict(nwd=True, small_classes=('person',))),
    'train_only': (6, dict(nwd=True, small_classes=('person',))),
    'three': (20, dict(nwd=False, small_classes=('person',))),
    'plain': (30, dict(nwd=False, small_classes=None)),
}


@pytest.mark.parametrize(
    ('levels', 'network'),
    [*((levels, 'narrow') for levels in SIDES), ('finer', 's'), ('train_only', 's')],
)
def test_config_loads_and_trains(levels: str, network: str, data: Path, monkeypatch) -> None:
    side, expected = SIDES[levels]
    if levels == 'train_only':
        monkeypatch.setattr('abc_mmdet.custom_dataset.level_choice.LARGE', 35.0)

    def resize(entries: dict) -> None:
        for box in entries['annotations'][2::3]:
            box.update(bbox=[2, 2, side, side], area=side**2)

    for split in ('train', 'val'):
        change(data / f'{split}.json', resize)
    written = write(data, network=network)
    assert written.issues == []
    assert written.recipe.levels == levels
    assert {key: getattr(written.recipe, key) for key in expected} == expected
    config = load_experiment(str(written.path))
    assert config.classes == NAMES
    assert config.train_cfg.max_iters == written.recipe.max_iters
    assert loss_of(config).isfinite()
    assert list(METRICS.build(config.val_evaluator)._coco_api.imgs) == [10, 11, 12, 13]
    dataset_check = check_dataset(config)
    assert dataset_check.is_fine(strict=True)
    assert dataset_check.strides == ([4, 8, 16] if levels == 'finer' else [8, 16, 32])
    assert dataset_check.train_only_strides == ([4] if levels == 'train_only' else [])
    assert [p.name for p in data.glob('*.py')] == ['mine.py']
    text = written.path.read_text()
    assert max(map(len, text.splitlines())) < 100 or str(data) in text
    for reason in written.recipe.why.values():
        words = ' '.join(line.strip('# ') for line in text.splitlines() if line.startswith('#'))
        if reason != written.recipe.why.get('nwd') or written.recipe.nwd:
            assert ' '.join(reason.split()) in ' '.join(words.split())


@pytest.mark.parametrize('network', ['nano', 'tiny', 's', 'm'])
def test_fine_tuning(network: str, data: Path, monkeypatch) -> None:
    """The network is that of the weights: MMDetection's own config has the same tensors."""
    weights = data / 'mine.pth'
    weights.touch()
    monkeypatch.setattr('abc_mmdet.custom_dataset.level_choice.LARGE', 35.0)  # keeps stride 32
    written = write(data, network=network, weights=str(weights))
    config = load_experiment(str(written.path))
    assert config.load_from == str(weights)
    assert loss_of(config).isfinite()
    folder = Path(mmdet.__file__).parent / '.mim/configs/yolox'
    theirs = Config.fromfile(folder / f'yolox_{network}_8xb8-300e_coco.py').model
    theirs.bbox_head.num_classes = 3
    shapes = [
        {name: value.shape for name, value in MODELS.build(model).state_dict().items()}
        for model in (config.model, theirs)
    ]
    assert shapes[0] == shapes[1]


def test_fine_tuning_on_strides_8_and_16_without_colours(data: Path) -> None:
    weights = data / 'mine.pth'
    weights.touch()
    for path in (data / 'images').iterdir():
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    written = write(data, network='nano', weights=str(weights))
    assert (written.recipe.levels, written.recipe.gray) == ('trimmed', True)
    config = load_experiment(str(written.path))
    model = MODELS.build(config.model)
    assert model.backbone.stem.conv.conv.in_channels == 4
    assert [list(s) for s in model.bbox_head.prior_generator.strides] == [[8, 8], [16, 16]]
    assert loss_of(config).isfinite()


def test_small_by_size(data: Path, monkeypatch) -> None:
    monkeypatch.setattr('abc_mmdet.custom_dataset.level_choice.LARGE', 35.0)  # or no auxiliary task
    config = load_experiment(str(write(data, small_by_size=True).path))
    head = MODELS.build(config.model).bbox_head
    assert isinstance(head, ABCHead)
    assert (head.small_classes.names, head.small_classes.max_area) == (NAMES, 576)
    metric = METRICS.build(config.val_evaluator)
    metric.dataset_meta = dict(classes=NAMES)
    assert metric.small_classes == NAMES


def test_data_root_moves_everything(data: Path) -> None:
    written = write(data)
    config = load_experiment(str(written.path), dict(data_root='elsewhere'))
    assert config.data_root == 'elsewhere/'
    assert config.val_dataloader.dataset.data_root == 'elsewhere/'
    assert config.val_evaluator.ann_file == 'elsewhere/val.json'


def test_each_split_finds_its_images(data: Path, tmp_path: Path) -> None:
    entries = content(first=20, prefix='other')
    draw(tmp_path / 'far' / 'images', entries, seed=5)
    (data / 'val.json').write_text(json.dumps(entries))
    folders = [str(tmp_path / 'far' / 'images'), str(data / 'images')]
    for options in (dict(images=folders), dict(images=folders[1:], val_images=folders[0])):
        config = load_experiment(str(write(data, overwrite=True, **options).path))
        assert config.data_root == f'{tmp_path}/'
        assert config.train_dataloader.dataset.data_prefix.img == 'data/images/'
        assert config.val_dataloader.dataset.data_prefix.img == 'far/images/'
        assert len(DATASETS.build(config.val_dataloader.dataset)) == 4
    with pytest.raises(UserError, match=r'4 of 4 image files do not exist'):
        write(data, overwrite=True, images=folders[:1])


def test_paths_as_they_were_given(data: Path, monkeypatch) -> None:
    monkeypatch.chdir(data.parent)
    relative = dict(train='data/train.json', val='data/val.json', images=['data/images/'])
    config = load_experiment(str(write(data, **relative).path))
    assert (config.data_root, config.train_dataloader.dataset.ann_file) == ('data/', 'train.json')
    monkeypatch.chdir(data)
    relative = dict(train='train.json', val='val.json', images=['images'], overwrite=True)
    config = load_experiment(str(write(data, **relative).path))
    assert config.data_root == './'
    assert loss_of(config).isfinite()


def test_a_config_in_the_checkout_moves_with_it(data: Path) -> None:
    (data / 'configs').symlink_to(CONFIGS)
    written = write(data, configs=data / 'configs', name='deep/mine.py')
    assert "'../configs/_base_/models/abc_yolox_finer.py'" in written.path.read_text()
    assert load_experiment(str(written.path)).classes == NAMES


def test_data_that_is_not_ready(data: Path) -> None:
    change(data / 'train.json', lambda entries: entries['annotations'][3].pop('area'))
    change(data / 'val.json', lambda entries: entries['annotations'][3].update(id=0))
    (data / 'images' / 'image1.png').unlink()
    with pytest.raises(UserError) as error:
        write(data)
    message = str(error.value)
    for part in ('no area', 'image1.png', 'annotation ids that are given more than once'):
        assert part in message
    assert list(data.glob('*.py')) == []


def test_defects_that_do_not_stop_are_told(data: Path) -> None:
    change(data / 'train.json', lambda entries: entries['annotations'][3].update(bbox=[1, 1, 0, 0]))
    (issue,) = write(data).issues
    assert issue.kind == 'zero_area'


def test_mistakes(data: Path) -> None:
    written = write(data)
    before = written.path.read_text()
    for options, message in (
        ({}, r'mine\.py exists: name another --out'),
        (dict(out=data / 'mine.txt'), r'ends in \.py'),
        (dict(name='b.py', images=[str(data / 'gone')]), 'There is no folder .*gone'),
        (dict(name='b.py', train=str(data / 'gone.json')), r'gone\.json'),
        (dict(name='b.py', small_classes=['lorry']), 'lorry'),
        (dict(name='train.json/b.py'), 'cannot write'),
    ):
        with pytest.raises(UserError, match=message):
            write(data, **options)
    assert written.path.read_text() == before
    assert [p.name for p in data.glob('*.py')] == ['mine.py']


def test_fine_tuning_averages_and_flips_what_has_no_up(data: Path) -> None:
    weights = data / 'yolox_nano.pth'
    weights.touch()
    options = dict(network='nano', weights=str(weights))
    street = Config.fromfile(write(data, 'street.py', **options).path)
    above = Config.fromfile(write(data, 'above.py', **options, from_above=True).path)
    flips = [
        next(step for step in config.train_pipeline if step.type == 'RandomFlip')
        for config in (street, above)
    ]
    assert flips[0] == dict(type='RandomFlip', prob=0.5)
    assert flips[1].direction == ['horizontal', 'vertical', 'diagonal'] and sum(flips[1].prob) < 1
    for config in (street, above):
        assert [s.type for s in config.param_scheduler] == ['LinearLR'], 'constant from then on'
        average, switch = config.custom_hooks
        assert average.ema_type == 'StochasticWeightAverage'
        assert average.begin_iter == config.max_iters // 2 and average.update_buffers
        assert switch.num_last_iters == config.max_iters * 3 // 20
        check_length(load_experiment(str(config.filename)))
    assert DATASETS.build(above.train_dataloader.dataset)[0]['inputs'].shape[0] == 3
