"""Prints the lowest versions that setup.cfg allows, as constraints for pip.

python requirements/lowest.py [EXTRA,EXTRA,...]

Standard library only: it runs before anything is installed.
"""

import configparser
import re
import sys
from pathlib import Path

SETUP = Path(__file__).parents[1] / 'setup.cfg'
BOUND = re.compile(r'([\w.-]+)>=([\d.]+)')


def lowest(extras: list[str]) -> dict[str, str]:
    """Lowest version of every direct requirement, of these extras too; the higher of two bounds.

    Raises:
        SystemExit: an extra that does not exist, or a requirement without a lower bound.
    """
    config = configparser.ConfigParser()
    config.read(SETUP, encoding='utf-8')
    known = config['options.extras_require']
    for extra in extras:
        if extra not in known:
            raise SystemExit(f'{SETUP}: there is no extra {extra!r}, only {", ".join(known)}')
    listings = [config['options']['install_requires'], *(known[extra] for extra in extras)]
    bounds: dict[str, str] = {}
    for line in '\n'.join(listings).split():
        bound = BOUND.fullmatch(line)
        if not bound:
            raise SystemExit(f'{SETUP}: {line!r} should read NAME>=VERSION')
        name, version = bound.groups()
        bounds[name] = max(version, bounds.get(name, '0'), key=_numbers)
    return bounds


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split('.')]


if __name__ == '__main__':
    extras = [extra for argument in sys.argv[1:] for extra in argument.split(',')]
    for name, version in sorted(lowest(extras).items()):
        print(f'{name}=={version}')
