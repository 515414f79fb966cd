"""Where the parts of an experiment are in its config."""

from __future__ import annotations

from collections.abc import Iterator


def type_name(options: dict) -> str:
    """Name of the class that something is built from, whether it is given by name or as a class."""
    kind = options.get('type', '')
    return str(getattr(kind, '__name__', kind)).split('.')[-1]


def innermost(dataset: dict) -> Iterator[dict]:
    """Configs of the data sets inside wrappers (repeat, concat, class balance, mix)."""
    inner = dataset.get('datasets') or dataset.get('dataset')
    if inner is None:
        yield dataset
        return
    for child in [inner] if isinstance(inner, dict) else inner:
        yield from innermost(child)
