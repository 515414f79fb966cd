"""Which checkpoints fit a network: names, shapes, classes, and what a file may look like."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn

from abc_mmdet.checkpoints.content import read_checkpoint
from abc_mmdet.checkpoints.fit import Target, fitting_state, load_fitting
from abc_mmdet.errors import UserError

CLASSES = ('car', 'bus')


class Head(nn.Module):
    """A head, or one whose main task is a module of its own beside an auxiliary one."""

    def __init__(self, outputs: int = 2, wrapped: bool = False) -> None:
        super().__init__()
        if wrapped:
            self.main_head = Head(outputs)
            self.aux_head = nn.Linear(3, 1)
        else:
            self.conv_cls = nn.Linear(3, outputs)


class Detector(nn.Module):
    def __init__(self, outputs: int = 2, wrapped: bool = False, width: int = 3) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(width, 3), nn.BatchNorm1d(3))
        self.bbox_head = Head(outputs, wrapped)


def saved(model: nn.Module, classes: Any = CLASSES) -> dict[str, Any]:
    return dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=classes)))


def refusal(checkpoint: Any, model: nn.Module, resumed: bool = False) -> str:
    with pytest.raises(UserError) as error:
        fitting_state(checkpoint, Target(model, 'mine.py', CLASSES, resumed), 'file.pth')
    return str(error.value)


@pytest.mark.parametrize('prefix', ['', 'module.', '_orig_mod.', 'module._orig_mod.'])
@pytest.mark.parametrize('wrapper', ['state_dict', 'ema_state_dict', None])
@pytest.mark.parametrize('theirs', [True, False], ids=['of ABC', 'plain'])
@pytest.mark.parametrize('ours', [True, False], ids=['into ABC', 'into plain'])
def test_what_fits_is_loaded(prefix: str, wrapper: str | None, theirs: bool, ours: bool) -> None:
    source, target = Detector(wrapped=theirs), Detector(wrapped=ours)
    state = {prefix + name: value for name, value in source.state_dict().items()}
    load_fitting({wrapper: state} if wrapper else state, Target(target, 'mine.py'), 'file.pth')
    first, second = (
        m.bbox_head.main_head if w else m.bbox_head for m, w in ((source, theirs), (target, ours))
    )
    assert torch.equal(first.conv_cls.weight, second.conv_cls.weight)
    assert torch.equal(source.backbone[0].weight, target.backbone[0].weight)


def test_other_networks_and_classes() -> None:
    one = refusal(saved(Detector(1), ['car']), Detector())
    assert 'file.pth does not fit the config: 2 tensors' in one and 'mine.py' in one
    assert 'bbox_head.conv_cls.weight (2, 3), the file has it as (1, 3)' in one
    assert "['car']" in one and "['car', 'bus']" in one
    assert [line.split() for line in one.splitlines() if line.startswith('bbox_head')] == [
        ['bbox_head', '0', 'of', '2', '0', '%', 'conv_cls']
    ]
    assert 'same classes in another order' in refusal(saved(Detector(), CLASSES[::-1]), Detector())
    assert 'other classes' in refusal(saved(Detector(), ('car', 'tram')), Detector())
    larger = nn.Sequential()
    larger.backbone, larger.bbox_head = Detector().backbone, Detector().bbox_head
    larger.neck = nn.Linear(1, 1)
    assert 'the file has neck.weight, the network has not' in refusal(saved(larger), Detector())
    assert 'neck.weight (1, 1), the file has no such' in refusal(saved(Detector()), larger)
    assert 'backbone.0.weight (3, 4)' in refusal(saved(Detector()), Detector(width=4))


def test_the_auxiliary_task_counts_when_training_goes_on() -> None:
    wrapped, plain = Detector(wrapped=True), Detector()
    assert 'aux_head.weight' in refusal(saved(plain), wrapped, resumed=True)
    assert 'aux_head.weight' in refusal(saved(wrapped), plain, resumed=True)
    target = Target(wrapped, 'mine.py', CLASSES, resumed=True)
    assert list(fitting_state(saved(wrapped), target, '')) == list(wrapped.state_dict())


def test_names_of_an_older_version() -> None:
    class Renamed(nn.Linear):
        def _load_from_state_dict(self, state: dict, prefix: str, *rest: Any) -> None:
            state[f'{prefix}weight'] = state.pop(f'{prefix}kernel')
            super()._load_from_state_dict(state, prefix, *rest)

    old = dict(state_dict={'0.kernel': torch.ones(1, 1), '0.bias': torch.ones(1)})
    model = nn.Sequential(Renamed(1, 1))
    load_fitting(old, Target(model, 'mine.py'), 'file.pth')
    assert model[0].weight.item() == 1


def test_what_holds_no_usable_weights(tmp_path: Path) -> None:
    model = Detector()
    ring: dict[str, Any] = {}
    ring['state_dict'] = ring
    for content, message in (
        ([1, 2], 'holds no weights: it is a list'),
        (dict(state_dict={}), 'holds no weights'),
        (dict(state_dict=dict(a='text')), 'holds no weights'),
        (ring, 'holds no weights'),
        (dict(state_dict=dict(a=torch.eye(2).to_sparse())), 'holds no weights'),
        ({**saved(model), 'meta': 'text'}, 'its meta information is a str'),
    ):
        assert message in refusal(content, model)
    broken = saved(model)
    broken['state_dict']['backbone.0.bias'] = torch.full((3,), float('nan'))
    assert '1 of 9 tensors hold NaN or infinite values (backbone.0.bias)' in refusal(broken, model)
    torch.save(broken, tmp_path / 'nan.pth')
    with pytest.raises(UserError, match=r'nan\.pth: 1 of 9 tensors hold NaN'):
        read_checkpoint(str(tmp_path / 'nan.pth'))


@pytest.mark.parametrize('kind', [torch.complex64, torch.int8])
def test_other_numbers_are_not_cut(kind: torch.dtype) -> None:
    """PyTorch would copy their real part, or whole numbers, without a word."""
    model = Detector()
    other = saved(model)
    other['state_dict'] = {n: v.to(kind) for n, v in other['state_dict'].items()}
    assert f'the file has it as (3, 3) of {kind}' in refusal(other, model)


@pytest.mark.parametrize('kind', [torch.float16, torch.bfloat16, torch.float64])
def test_another_precision_fits(kind: torch.dtype) -> None:
    source, target = Detector(), Detector()
    load_fitting(saved(source.to(kind)), Target(target, 'mine.py', CLASSES), 'file.pth')
    weight = target.bbox_head.conv_cls.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, source.bbox_head.conv_cls.weight.float())


def test_averaged_weights_alone() -> None:
    """As MMEngine keeps them, with the number of steps beside them."""
    source, target = Detector(), Detector()
    average = ExponentialMovingAverage(source, update_buffers=True)
    checkpoint = dict(meta={}, ema_state_dict=average.state_dict())
    load_fitting(checkpoint, Target(target, 'mine.py'), 'file.pth')
    assert torch.equal(target.backbone[0].weight, source.backbone[0].weight)


def test_names_of_megvii() -> None:
    state = {'model': {'backbone.backbone.stem.conv.conv.weight': torch.ones(1)}}
    assert "names of Megvii's YOLOX" in refusal(state, Detector())
