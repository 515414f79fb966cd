"""Pickles run nothing but what is allowed, and objects of a file become empty ones."""

import io
import os
import pickle
import types
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from abc_mmdet.checkpoints import loading
from abc_mmdet.checkpoints.loading import problem_of, read
from abc_mmdet.checkpoints.restricted_pickle import ScheduleStandIn, StandIn, restricted_pickle
from abc_mmdet.errors import UserError


class Plain:
    """Something that is allowed."""

    limit = 1


ALLOWED: dict[str, Any] = {
    f'{__name__}.Plain': Plain,
    'collections.OrderedDict': OrderedDict,
    'fractions.Fraction': Fraction,
}


NAME = __name__.encode()


def load(content: bytes) -> Any:
    return restricted_pickle(ALLOWED).load(io.BytesIO(content))


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_what_is_allowed_is_read(protocol: int) -> None:
    plain = Plain()
    plain.inner = [OrderedDict(a=1), Fraction(2, 3), 0.5, (None, True)]
    found = load(pickle.dumps(plain, protocol))
    assert type(found) is Plain and found.inner == plain.inner


def test_an_object_that_holds_itself() -> None:
    plain = Plain()
    plain.inner = [plain]
    found = load(pickle.dumps(plain, 2))
    assert found.inner[0] is found


HOSTILE = {
    'another name': pickle.dumps(os.getcwd, 2),
    'a method of a class': pickle.dumps(Fraction.from_float, 4),
    'a call of what is no function': b'\x80\x02]K\x01\x85R.',
    'the class itself filled in': b'\x80\x02c'
    + NAME
    + b'\nPlain\n(N}X\x05\x00\x00\x00limitK\x02stb.',
    'operation INST': b'(i' + NAME + b'\nPlain\n.',
    'operation OBJ': b'(c' + NAME + b'\nPlain\no.',
    'operation NEWOBJ_EX': b'\x80\x04c' + NAME + b'\nPlain\n)}\x92.',
    'operation EXT1': b'\x80\x02\x82\x01.',
}


@pytest.mark.parametrize('kind', HOSTILE)
def test_the_rest_is_refused(kind: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match=r'Unsupported global|unrecognized function'):
        load(HOSTILE[kind])
    assert Plain.limit == 1


def test_unrestricted_the_class_would_be_changed() -> None:
    """Else the attack above were none."""
    pickle.loads(HOSTILE['the class itself filled in'])
    assert Plain.limit == 2
    Plain.limit = 1


class Call:
    """An object that is made by calling something when the file is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call

    def __call__(self) -> None:
        """Pickle wants to call only what can be called."""


def schedule(method: Callable | None = None) -> OneCycleLR:
    """A schedule after a step, with its method as an attribute, as up to PyTorch 2.0."""
    layer = torch.nn.Linear(2, 2)
    optimizer = AdamW(layer.parameters(), lr=1e-3)
    one_cycle = OneCycleLR(optimizer, 1e-3, 10, anneal_strategy='linear', cycle_momentum=False)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    one_cycle.step()
    one_cycle.anneal_func = types.MethodType(method or OneCycleLR._annealing_linear, one_cycle)
    return one_cycle


def lightning(**more: Any) -> dict:
    """A checkpoint as PyTorch Lightning 1.8 writes it."""
    one_cycle = schedule()
    return {
        'epoch': 0,
        'global_step': 1,
        'pytorch-lightning_version': '1.8.6',
        'state_dict': dict(w=torch.arange(3.0)),
        'loops': dict(fit_loop=dict(epoch_progress=dict(total=dict(ready=1)))),
        'callbacks': {"ModelCheckpoint{'monitor': 'val/AP'}": dict(best_model_score=torch.ones(1))},
        'optimizer_states': [one_cycle.optimizer.state_dict()],
        'lr_schedulers': [one_cycle.state_dict()],
        **more,
    }


@pytest.fixture(params=['2.6 and newer', 'older'])
def any_torch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of reading, whatever PyTorch is here."""
    if request.param == 'older':
        monkeypatch.setattr(loading, '_takes_names', lambda: False)
    elif not loading._takes_names():
        pytest.skip('this PyTorch cannot be told names')


@pytest.mark.usefixtures('any_torch')
@pytest.mark.parametrize('as_zip', [True, False], ids=['zip', 'bare pickle'])
def test_a_schedule_with_its_method_is_read(as_zip: bool, tmp_path: Path) -> None:
    path = tmp_path / 'rvt.ckpt'
    torch.save(lightning(whole=schedule()), path, _use_new_zipfile_serialization=as_zip)
    found = read(path)
    assert torch.equal(found['state_dict']['w'], torch.arange(3.0))
    (state,) = found['lr_schedulers']
    assert state['total_steps'] == 10 and state['last_epoch'] == 1
    assert state['anneal_func'].__func__ is ScheduleStandIn._annealing_linear
    assert vars(state['anneal_func'].__self__) == {} == vars(found['whole']), 'nothing is kept'
    assert found['optimizer_states'][0]['state'][0]['step'] == 1
    assert problem_of(path) is None
    with path.open('rb') as file:
        assert read(file)['global_step'] == 1  # type: ignore[arg-type]


def test_other_optimizers_and_defaultdicts_become_empty(tmp_path: Path) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    content = dict(optimizer=optimizer, counts=defaultdict(dict, a=1), state=defaultdict(dict))
    torch.save(content, tmp_path / 'own.pth')
    found = read(tmp_path / 'own.pth')
    assert type(found['optimizer']) is StandIn and vars(found['optimizer']) == {}
    assert found['counts'] == dict(a=1) and type(found['counts']) is dict


def run(trace: Path) -> Call:
    return Call(os.system, f'mkdir {trace}')


def with_program_inside(trace: Path) -> OneCycleLR:
    one_cycle = schedule()
    one_cycle.optimizer.defaults['hook'] = run(trace)
    return one_cycle


METHOD = '_annealing_linear'


HOSTILE_SCHEDULES: dict[str, tuple[Callable[[Path], Any], str]] = {
    'another method': (lambda trace: schedule(OneCycleLR.step), "getattr of 'step'"),
    'its dictionary': (lambda trace: Call(getattr, schedule(), '__dict__'), "'__dict__'"),
    'its class': (lambda trace: Call(getattr, schedule(), '__class__'), "'__class__'"),
    'a method of the class': (lambda trace: Call(getattr, OneCycleLR, 'mro'), "'mro'"),
    'the optimizer': (lambda trace: Call(getattr, schedule().optimizer, 'step'), "'step'"),
    'the name at another object': (
        lambda trace: Call(getattr, schedule().optimizer, METHOD),
        f'getattr of {METHOD!r}',
    ),
    'the name at a tensor': (lambda trace: Call(getattr, torch.zeros(1), METHOD), f'{METHOD!r}'),
    'on from the method': (
        lambda trace: Call(getattr, Call(getattr, schedule(), METHOD), '__globals__'),
        "'__globals__'",
    ),
    'the function of the method': (
        lambda trace: Call(getattr, Call(getattr, schedule(), METHOD), '__func__'),
        "'__func__'",
    ),
    'a call of the method': (lambda trace: Call(Call(getattr, schedule(), METHOD), 1), ''),
    'getattr of getattr': (lambda trace: Call(getattr, getattr, '__self__'), "'__self__'"),
    'a factory': (lambda trace: defaultdict(os.system), 'posix.system'),
    'a program': (lambda trace: [schedule(), run(trace)], 'posix.system'),
    'a program in the optimizer': (with_program_inside, 'posix.system'),
    'a program as a method': (
        lambda trace: Call(getattr, run(trace), METHOD),
        'posix.system',
    ),
}


@pytest.mark.usefixtures('any_torch')
@pytest.mark.parametrize('kind', HOSTILE_SCHEDULES)
def test_what_looks_like_a_schedule_is_refused(kind: str, tmp_path: Path) -> None:
    make, named = HOSTILE_SCHEDULES[kind]
    trace, path = tmp_path / 'trace', tmp_path / 'evil.ckpt'
    torch.save(lightning(extra=make(trace)), path)
    with pytest.raises(UserError) as refused:
        read(path)
    assert not trace.exists()
    assert '--trust' in str(refused.value) and named in str(refused.value)
    assert 'more than weights' in str(problem_of(path))
