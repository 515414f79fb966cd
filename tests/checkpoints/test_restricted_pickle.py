"""Pickles name, call and fill in what is allowed, and nothing else."""

import io
import os
import pickle
from collections import OrderedDict
from fractions import Fraction
from typing import Any

import pytest

from abc_mmdet.checkpoints.restricted_pickle import restricted_pickle


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
