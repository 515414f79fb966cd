"""Which recordings a rate names."""

import argparse
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / 'benchmarks'))

from rates import Rate


@pytest.mark.parametrize(
    ('text', 'expected', 'words'),
    [
        ('25=a/b', (25, 25, 'a/b'), '25 ms'),
        ('50/12.5=a', (50, 12.5, 'a'), '50 ms every 12.5 ms'),
        ('50/50=a=b', (50, 50, 'a=b'), '50 ms'),
    ],
    ids=['window', 'step', 'both'],
)
def test_rates(text: str, expected: tuple, words: str) -> None:
    rate = Rate.of(text)
    assert (rate, str(rate)) == (expected, words)


@pytest.mark.parametrize('text', ['a', '=a', 'x=a', '50/x=a'])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match='WINDOW/STEP=FOLDER'):
        Rate.of(text)
