"""Choices for data sets of different kinds, without images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

import mmdet
from abc_mmdet.custom_dataset import NETWORKS, CocoFile, Recipe, choose
from abc_mmdet.custom_dataset.level_choice import task_sizes
from abc_mmdet.custom_dataset.networks import find_weights
from abc_mmdet.custom_dataset.recipe_text import DataPaths, config_text
from abc_mmdet.custom_dataset.schedule_text import schedule_text
from abc_mmdet.errors import UserError


def data_set(
    sides: dict[str, list[float]],
    size: tuple[int, int] = (640, 512),
    num_images: int = 100,
    names: list[str] | None = None,
) -> CocoFile:
    """A file whose classes have square boxes of these sides."""
    names = names or list(sides)
    images = [
        dict(id=i, file_name=f'{i}.jpg', width=size[0], height=size[1]) for i in range(num_images)
    ]
    annotations = []
    for name, of in sides.items():
        for i, side in enumerate(of):
            annotations.append(
                dict(
                    id=len(annotations),
                    image_id=i % num_images,
                    category_id=names.index(name),
                    bbox=[i % 97, i % 89, side, side],
                    area=side**2,
                )
            )
    categories = [dict(id=i, name=name) for i, name in enumerate(names)]
    return CocoFile('data.json', images, annotations, categories, [])


def recipe(file: CocoFile, **options: object) -> Recipe:
    return choose(file, file, **{'network': 's', **options})  # type: ignore[arg-type]


def test_small_classes_and_a_level_for_them() -> None:
    made = recipe(data_set({'person': [10.0] * 50, 'car': [40.0] * 50, 'bike': [14.0] * 50}))
    assert made.classes == ('person', 'car', 'bike')
    assert made.small_classes == ('person', 'bike')
    assert (made.levels, made.nwd, made.max_area) == ('finer', True, None)
    assert '67 % of the boxes are below 16 px' in made.why['levels']
    assert 'person 10, car 40, bike 14' in made.why['small_classes']
    assert set(task_sizes(made)) == {10, 14}


def test_no_auxiliary_task_that_repeats_the_main_one() -> None:
    every = recipe(data_set({'spur': [20.0] * 50, 'open': [22.0] * 50}))
    assert (every.levels, every.small_classes) == ('plain', ('spur', 'open'))
    assert 'would repeat the main one' in every.why['levels']
    assert recipe(data_set({'spur': [20.0] * 50, 'open': [40.0] * 50})).levels == 'three'
    assert recipe(data_set({'spur': [10.0] * 50})).levels == 'finer', 'has no auxiliary task'


def test_tiny_boxes_are_compared_by_wasserstein_distance() -> None:
    made = recipe(data_set({'person': [6.0] * 50, 'car': [40.0] * 40, 'lorry': [200.0] * 10}))
    assert (made.levels, made.nwd) == ('train_only', True)
    assert '100 % of the boxes of the auxiliary task are below 8 px' in made.why['nwd']


def test_large_boxes_keep_their_level() -> None:
    sides = {'person': [10.0] * 50, 'lorry': [40.0] * 48 + [200.0] * 2}
    made = recipe(data_set(sides))
    assert made.levels == 'train_only' and '2 % are above 128 px' in made.why['levels']
    sides['lorry'] = [40.0] * 200
    assert recipe(data_set(sides)).levels == 'finer'


def test_few_small_boxes_need_no_finer_level() -> None:
    made = recipe(data_set({'person': [20.0] * 50, 'car': [70.0] * 50}))
    assert (made.levels, made.small_classes) == ('three', ('person',))


def test_small_objects_of_large_classes() -> None:
    sides = [10.0] * 40 + [60.0] * 60
    made = recipe(data_set({'car': sides, 'bus': sides}))
    assert (made.small_classes, made.max_area, made.levels) == ('all', 576, 'finer')
    assert set(task_sizes(made)) == {10}
    assert '40 % of all boxes' in made.why['small_classes']


def test_nothing_small() -> None:
    made = recipe(data_set({'car': [90.0] * 50}))
    assert (made.small_classes, made.levels, made.nwd) == (None, 'plain', False)
    assert len(task_sizes(made)) == 0


def test_what_the_user_says_comes_first() -> None:
    file = data_set({'person': [10.0] * 50, 'car': [60.0] * 50})
    assert recipe(file, small_classes=['car']).small_classes == ('car',)
    assert recipe(file, small_by_size=True).max_area == 576
    with pytest.raises(UserError, match=r"small_classes names \['lorry'\]"):
        recipe(file, small_classes=['lorry'])
    with pytest.raises(UserError, match='not both'):
        recipe(file, small_classes=['car'], small_by_size=True)


@pytest.mark.parametrize(
    ('size', 'side', 'network', 'expected'),
    [
        ((640, 512), 10.0, 's', (640, 512)),  # small boxes: as large as the images are
        ((512, 410), 10.0, 'narrow', (512, 416)),
        ((3840, 2160), 20.0, 's', (1280, 736)),  # as large as can be afforded
        ((3840, 2160), 20.0, 'narrow', (640, 384)),
        ((1920, 1080), 80.0, 's', (416, 256)),  # 16 px of 80 are left at 384
        ((600, 800), 10.0, 's', (608, 800)),  # upright
        ((200, 100), 10.0, 's', (224, 128)),
    ],
)
def test_image_size(
    size: tuple[int, int], side: float, network: str, expected: tuple[int, int]
) -> None:
    made = recipe(data_set({'person': [side] * 50}, size), network=network)
    assert made.img_scale == expected
    assert min(side for side in made.img_scale) % 32 == 0
    longest = max(made.img_scale)
    if longest < min(max(size), NETWORKS[network].longest):
        assert side * longest / max(size) >= 16
    assert made.why['img_scale'].startswith('width, height: ')


def test_upright_and_lying_images_get_a_square() -> None:
    file = data_set({'person': [10.0] * 50}, (640, 480))
    for image in file.images[::3]:
        image.update(width=480, height=640)
    assert recipe(file).img_scale == (640, 640)


@pytest.mark.parametrize('network', NETWORKS)
@pytest.mark.parametrize('num_images', [5, 300, 3000, 200_000])
def test_training_is_as_long_as_the_data_is_large(network: str, num_images: int) -> None:
    file = data_set({'person': [10.0] * 50}, num_images=num_images)
    made, limits = recipe(file, network=network), NETWORKS[network]
    width, height = made.img_scale
    assert made.batch * width * height <= limits.pixels
    passes = made.max_iters * made.batch / num_images
    fewest, most = limits.iterations
    assert fewest <= made.max_iters <= most
    if fewest < made.max_iters < most:
        assert passes == pytest.approx(limits.passes, rel=0.1)
    assert (made.max_iters == most) == ('the most proposed' in made.why['max_iters'])
    assert made.lr == pytest.approx(limits.lr * np.sqrt(made.batch / limits.batches[0]), abs=1e-5)


def test_classes_without_boxes_are_left_out() -> None:
    file = data_set({'b': [10.0] * 9, 'a': [30.0] * 9}, names=['objects', 'b', 'unused', 'a'])
    made = recipe(file)
    assert made.classes == ('b', 'a')
    assert 'without those that have no box (objects, unused)' in made.why['classes']


def test_files_that_do_not_fit() -> None:
    train = data_set({'a': [10.0], 'b': [10.0]})
    for val in (
        data_set({'a': [10.0], 'b': [10.0]}, names=['b', 'a']),
        data_set({'a': [10.0]}),
    ):
        with pytest.raises(UserError, match='different classes') as error:
            choose(train, val, 'narrow')
        assert "['a', 'b']" in str(error.value)
    with pytest.raises(UserError, match='no usable box'):
        choose(train, data_set({}, names=['a', 'b']), 'narrow')


def test_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'data\.json has no usable box'):
        recipe(data_set({}, names=['a']))


def test_fine_tuning_keeps_the_levels_of_the_weights() -> None:
    file = data_set({'Persons': [10.0] * 50, 'mousebite': [60.0] * 50}, num_images=5000)
    scratch, made = recipe(file), recipe(file, weights='yolox_s.pth')
    assert (scratch.levels, scratch.weights) == ('finer', None)
    assert (made.levels, made.nwd, made.weights) == ('plain', False, 'yolox_s.pth')
    assert made.small_classes == scratch.small_classes
    assert made.max_iters == scratch.max_iters / 2 and made.lr == scratch.lr / 2
    assert '(Persons <- person); others from the mean' in made.why['weights']
    assert made.slow_backbone and not scratch.slow_backbone
    assert made.paste and not scratch.paste
    unknown = recipe(data_set({'spur': [10.0] * 50}), weights='yolox_s.pth')
    assert 'No class has a counterpart' in unknown.why['weights']
    assert not unknown.slow_backbone and not unknown.paste


def test_nano_spends_stride_32_on_a_larger_input() -> None:
    file = data_set({'Persons': [10.0] * 50, 'spur': [60.0] * 50})
    plain = recipe(
        data_set({'Persons': [10.0] * 50, 'car': [200.0] * 50}), network='nano', weights='n'
    )
    assert (plain.levels, plain.img_scale) == ('plain', (640, 512))
    made = recipe(file, network='nano', weights='nano.pth')
    assert made.levels == 'trimmed' and '0 % of the boxes are above 128 px' in made.why['levels']
    # 1 / 0.775 times the pixels at most
    assert made.img_scale == (720, 576) and 720 * 576 / 0.775 < 640 * 512 / 0.775**2
    assert made.sizes.size.max() == pytest.approx(60 * 720 / 640)
    gray = recipe(file, network='nano', weights='nano.pth', gray=True)
    assert gray.levels == 'trimmed' and gray.img_scale == (768, 608) and gray.gray
    scratch = recipe(file, network='nano', gray=True)
    assert scratch.levels == 'finer' and scratch.img_scale == (640, 512)


@pytest.mark.parametrize('budget', [0.5, 1.5, 2.0])
def test_a_budget_is_spent_on_the_input(budget: float) -> None:
    """FLOPs grow with the pixels of the input; as many as were allowed, or a little less."""
    large = data_set({'Persons': [10.0] * 50, 'car': [300.0] * 50})
    for options in (dict(network='s'), dict(network='nano', weights='nano.pth')):
        plain, made = recipe(large, **options), recipe(large, budget=budget, **options)
        assert made.levels != 'trimmed'
        pixels = np.prod(made.img_scale) / np.prod(plain.img_scale)
        assert 0.85 * budget < pixels <= budget
        assert all(side % 32 == 0 for side in made.img_scale)
        assert f'--budget {budget:g}' in made.why['img_scale']
    small = data_set({'Persons': [10.0] * 50, 'spur': [60.0] * 50})
    made = recipe(small, network='nano', weights='nano.pth', gray=True, budget=budget)
    assert made.levels == 'trimmed'
    assert 0.9 * budget < 0.675 * np.prod(made.img_scale) / (640 * 512) <= budget
    scale = made.img_scale[0] / 640
    assert made.sizes.size.max() == pytest.approx(60 * scale, rel=0.03)


def test_a_budget_can_make_objects_too_large_to_trim() -> None:
    file = data_set({'Persons': [10.0] * 50, 'car': [80.0] * 50})
    levels = [
        recipe(file, network='nano', weights='n', budget=budget).levels for budget in (1, 1.5, 4)
    ]
    assert levels == ['trimmed', 'trimmed', 'plain']


@pytest.mark.parametrize('budget', [0.0, -1.0, 0.2, 8.5])
def test_budgets_out_of_range(budget: float) -> None:
    with pytest.raises(UserError, match=f'--budget {budget:g}: give FLOPs at inference'):
        recipe(data_set({'Persons': [10.0] * 50}), budget=budget)


@pytest.mark.parametrize('network', NETWORKS)
def test_weights_of_a_network(network: str, tmp_path: Path) -> None:
    found = find_weights(network, None)
    assert found == NETWORKS[network].weights
    assert found is None or (found.startswith('https://') and f'yolox_{network}' in found)
    assert find_weights(network, network) == found
    assert find_weights(network, 'none') is None
    assert find_weights(network, 'https://a.org/b.pth') == 'https://a.org/b.pth'
    file = tmp_path / 'mine.pth'
    with pytest.raises(UserError, match=r'--weights .*mine\.pth: there is no such file'):
        find_weights(network, str(file))
    file.touch()
    assert find_weights(network, str(file)) == str(file)
    other = 'x' if network != 'x' else 'l'
    with pytest.raises(UserError, match=f'--weights {other} are those of another network'):
        find_weights(network, other)


def test_links_of_mmdetection_are_its_own() -> None:
    """They stand in the package's own list of checkpoints."""
    metafile = Path(mmdet.__file__).parent / '.mim/configs/yolox/metafile.yml'
    text = metafile.read_text()
    for network in NETWORKS.values():
        if network.weights is not None and 'openmmlab' in network.weights:
            assert network.weights in text


def test_no_validation_comes_right_after_another() -> None:
    """Of any length, the moments in the written text, as MMEngine's loop has them."""
    made = recipe(data_set({'person': [10.0] * 50}))
    for network in NETWORKS:
        for length in range(20, 400):
            made.network, made.max_iters = network, length
            written: dict = dict(max_iters=length)
            exec(next(schedule_text(made)), written)
            interval = written['interval']
            moments = [i for i in range(1, length + 1) if i % interval == 0 or i == length]
            gaps = np.diff([0, *moments])
            assert gaps[-1] >= gaps[0] / 2, (network, length, moments)
            assert len(moments) >= min(3, NETWORKS[network].validations)


def test_iterations_may_be_given() -> None:
    file = data_set({'person': [10.0] * 50})
    assert recipe(file, iterations=200).max_iters == 200
    assert recipe(file, iterations=200).why['max_iters'].endswith(', as asked for')
    with pytest.raises(UserError, match='--iterations 5: give 20 or more'):
        recipe(file, iterations=5)


def test_a_head_for_ignored_regions_where_there_are_some() -> None:
    file = data_set({'person': [20.0] * 50, 'car': [70.0] * 50})
    assert not recipe(file).ignored
    crowds = [dict(a, iscrowd=int(i < 3)) for i, a in enumerate(file.annotations)]
    made = recipe(replace(file, annotations=crowds))
    assert made.ignored and '3 boxes of the training data' in made.why['ignored']
    left_out = [dict(a, ignore=int(i < 3)) for i, a in enumerate(file.annotations)]
    made = recipe(replace(file, annotations=left_out))
    assert not made.ignored and '3 boxes are marked as ignore' in made.why['ignored']


@pytest.mark.parametrize('levels', ['plain', 'three', 'train_only', 'finer'])
def test_the_head_is_that_of_the_detector(levels: str, tmp_path: Path) -> None:
    sides = {
        'plain': {'person': [90.0] * 50},
        'three': {'person': [20.0] * 50, 'car': [70.0] * 50},
        'train_only': {'person': [10.0] * 50, 'lorry': [40.0] * 48 + [200.0] * 2},
        'finer': {'person': [10.0] * 50, 'car': [40.0] * 50},
    }[levels]
    file = data_set(sides)
    file = replace(
        file, annotations=[dict(a, iscrowd=int(i < 3)) for i, a in enumerate(file.annotations)]
    )
    made = recipe(file)
    assert made.levels == levels
    path = tmp_path / 'mine.py'
    paths = DataPaths('', 'train.json', 'val.json', '', '')
    path.write_text(config_text(made, paths, str(Path(__file__).parents[2] / 'configs'), 'a test'))
    head = Config.fromfile(path).model.bbox_head
    assert head.get('main_head', head).type == 'IgnoreRegionYOLOXHead'
    assert '# IgnoreRegionYOLOXHead: 3 boxes' in path.read_text()
