"""Linear relaxations of non-linear operators: what replaces them in a backward pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor
from typing_extensions import override


def pick(values: Tensor, sample: Tensor, *, single: bool) -> Tensor:
    """``values[sample]``: from (batch, ...) to (rows, ...), or to (1, ...) when all rows have one sample."""
    return values[sample[:1]] if single else values[sample]


def row_sum(values: Tensor) -> Tensor:
    """The sum over all axes but the first."""
    return values.flatten(1).sum(1)


@dataclass(frozen=True, eq=False)
class Rows:
    """Linear forms over one value, each for one region of a batch.

    ``sample`` (rows,) int64, ``coef`` (rows, *shape).
    """

    sample: Tensor
    coef: Tensor
    single: bool
    """All rows belong to one sample: its relaxation is then broadcast, not copied."""


class Relaxation(ABC):
    """Bounds on a non-linear operator, over the box of its input, for a batch of regions."""

    @property
    @abstractmethod
    def magnitude(self) -> Tensor:
        """``|slope| |x| + |offset|``, the largest in each region: (batch,)."""

    @abstractmethod
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Forms (rows, *input shape) and constants (rows,) that together never exceed the rows given."""


@dataclass(frozen=True, eq=False)
class Lines(Relaxation):
    """``lower_slope x + lower_offset <= f(x) <= upper_slope x + upper_offset``; ``size`` is max |x|.

    Each is (batch, *shape); no ``lower_offset`` means 0.
    """

    lower_slope: Tensor
    lower_offset: Tensor | None
    upper_slope: Tensor
    upper_offset: Tensor
    size: Tensor

    @property
    @override
    def magnitude(self) -> Tensor:
        upper = self.upper_slope.abs() * self.size + self.upper_offset.abs()
        lower = self.lower_slope.abs() * self.size
        if self.lower_offset is not None:
            lower = lower + self.lower_offset.abs()
        return torch.maximum(lower, upper).flatten(1).amax(1)

    @override
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        def of(values: Tensor) -> Tensor:
            return pick(values, rows.sample, single=rows.single)

        positive, negative = rows.coef.clamp(min=0), rows.coef.clamp(max=0)
        constant = torch.linalg.vecdot(negative.flatten(1), of(self.upper_offset).flatten(1))
        if self.lower_offset is not None:
            constant = constant + torch.linalg.vecdot(positive.flatten(1), of(self.lower_offset).flatten(1))
        return positive * of(self.lower_slope) + negative * of(self.upper_slope), constant


@dataclass(frozen=True, eq=False)
class Members(Relaxation):
    """A maximum over windows bounded by one member each.

    ``best`` (batch, channels, windows): the member that is a lower bound, as a place in its channel's plane.
    ``decided``: that member always wins. ``ceiling``: the constant upper bound where it does not, 0 where it does.
    """

    best: Tensor
    decided: Tensor
    ceiling: Tensor
    plane: tuple[int, int]
    size: Tensor

    @property
    @override
    def magnitude(self) -> Tensor:
        return torch.maximum(self.size.flatten(1).amax(1), self.ceiling.abs().flatten(1).amax(1))

    @override
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        def of(values: Tensor) -> Tensor:
            return pick(values, rows.sample, single=rows.single)

        coef = rows.coef.flatten(2)
        held = torch.where(of(self.decided), coef, coef.clamp(min=0))
        constant = row_sum((coef - held) * of(self.ceiling))
        places = of(self.best).expand(coef.shape)
        spread = torch.zeros(*coef.shape[:2], prod(self.plane), dtype=coef.dtype).scatter_add(2, places, held)
        return spread.reshape(*coef.shape[:2], *self.plane), constant
