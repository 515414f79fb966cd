"""A row of the table, and how RVT's modules are found."""

import importlib
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass
class Row:
    """A comparison: the largest difference of so many cases, and the one allowed."""

    what: str
    cases: int
    difference: float
    allowed: float

    @property
    def holds(self) -> bool:
        """Whether it is small enough; ``nan`` is not."""
        return self.difference <= self.allowed


def rvt_module(name: str) -> Any:
    """A module of RVT; its folder is on the path."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SystemExit(
            f"RVT's {name} cannot be imported ({error}). Is --rvt its folder? Its code needs: "
            'pip install omegaconf einops'
        ) from error


def relative(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference, relative to the largest value; infinite for other shapes."""
    if ours.shape != theirs.shape:
        return float('inf')
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-12))
