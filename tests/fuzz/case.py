"""What all fuzzers share: how many cases, how long one may take, and how one may end."""

from __future__ import annotations

import copy
import faulthandler
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from abc_mmdet.errors import UserError

CASES = int(os.environ.get('FUZZ_CASES', '400'))
"""Of all fuzzers together; `make test-all` tries 1200, `make fuzz` 20000."""

SECONDS = 20
"""For one case; a thousand times what it takes, as the machine may be busy."""

Result = TypeVar('Result')


class Hang(BaseException):
    """No Exception, so that nothing mistakes it for a damaged file."""


def cases(share: float) -> settings:
    """Settings of a fuzzer that gets this share of all cases."""
    return settings(
        max_examples=max(1, round(CASES * share)),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def in_time() -> Iterator[None]:
    """Ends what hangs; the whole process, with a traceback, if it hangs outside of Python."""

    def stop(*_: object) -> None:
        raise Hang(f'more than {SECONDS} s')

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    faulthandler.dump_traceback_later(3 * SECONDS, exit=True)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()


def outcome(run: Callable[[], Result], *names: str) -> Result | None:
    """The result; None if it ended in a message, which has to hold one of the names."""
    with in_time():
        try:
            return run()
        except UserError as error:
            text = str(error)
            assert any(name in text for name in names), f'{names} not in: {text}'
            assert 'Traceback' not in text
            return None


NASTY_NUMBERS = (0, -1, 1, 3, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, -0.5, 1e-9, 1e308, -1e308)
NASTY = (
    *(None, True, False, '', ' ', 'a', '1', 'car', 'ä\u202e😀', 'a' * 500, '\0', '\ud800'),
    *NASTY_NUMBERS,
    *(
        float('nan'),
        float('inf'),
        [],
        {},
        [1],
        [[1]],
        {'id': 1},
        [0, 0, 0, 0],
        [1, 2, 1e308, 1e308],
    ),
    *(
        [5, 5, -1, 3],
        [float('nan')] * 4,
        [1, 2, 3],
        ['1', 2, 3, 4],
        [5, 5, 1e-12, 1e12],
        [True] * 4,
    ),
)
"""Values that programs stumble over."""


def nasty() -> st.SearchStrategy[Any]:
    """One of :data:`NASTY`, or any JSON."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    some_json = st.recursive(
        scalars,
        lambda s: st.lists(s, max_size=4) | st.dictionaries(st.text(max_size=3), s),
        max_leaves=5,
    )
    return st.sampled_from(NASTY).map(copy.deepcopy) | some_json


def mutated(content: bytes, data: st.DataObject, most: int = 4) -> bytes:
    """Bytes that were replaced, taken out, put in, repeated or cut off."""
    for _ in range(data.draw(st.integers(1, most), label='changes')):
        place = data.draw(st.integers(0, len(content)), label='place')
        kind = data.draw(st.sampled_from(['replace', 'insert', 'delete', 'cut', 'repeat']))
        if kind == 'cut':
            content = content[:place]
        elif kind == 'delete':
            content = content[:place] + content[place + data.draw(st.integers(1, 16)) :]
        elif kind == 'repeat':
            content = content[:place] + content[place : place + 40] + content[place:]
        else:
            new = data.draw(st.binary(min_size=1, max_size=4), label='bytes')
            skipped = len(new) if kind == 'replace' else 0
            content = content[:place] + new + content[place + skipped :]
    return content


def pick(data: st.DataObject, values: Sequence[Any], label: str) -> Any:
    """One of the values."""
    return data.draw(st.sampled_from(list(values)), label=label)
