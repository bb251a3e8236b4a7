"""Linear relaxations of non-linear operators: what replaces them in a backward pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.patches import Part


@dataclass(frozen=True, eq=False)
class Places:
    """For each of several rows the place of its region in a batch: ``sample`` (rows,) int64."""

    sample: Tensor

    @cached_property
    def first(self) -> int:
        """The place of the first row's region."""
        return int(self.sample[0])

    @cached_property
    def single(self) -> bool:
        """All rows are about one region: what is known of it is then broadcast, not copied."""
        return bool((self.sample == self.first).all())

    @cached_property
    def aligned(self) -> bool:
        """Row r is about region r: what is known of the batch is then used as it is."""
        return bool((self.sample == torch.arange(len(self.sample))).all())

    def of(self, values: Tensor) -> Tensor:
        """Each row's part of what is known of a batch: (rows, ...), or (1, ...) when all rows are about one region."""
        if self.single:
            return values[self.first : self.first + 1]
        return values if self.aligned and len(values) == len(self.sample) else values[self.sample]

    def dot(self, coef: Tensor, values: Tensor) -> Tensor:
        """Product of forms (rows, ...) with each row's part of values (batch, ...): (rows,)."""
        flat = coef.flatten(1)
        if self.single:
            return flat @ values[self.first].flatten()
        product: Tensor = torch.linalg.vecdot(flat, self.of(values).flatten(1))
        return product


def each_its_own(rows: int) -> Places:
    """Row r is about region r."""
    return Places(torch.arange(rows))


@dataclass(frozen=True, eq=False)
class Rows:
    """Linear forms over one value, ``coef`` (rows, *shape), each for one region of a batch."""

    places: Places
    coef: Tensor


class Relaxation(ABC):
    """Bounds on a non-linear operator, over the box of its input, for a batch of regions."""

    @property
    @abstractmethod
    def magnitude(self) -> Tensor:
        """``|slope| |x| + |offset|``, the largest in each region: (batch,)."""

    @property
    def gain(self) -> Tensor | None:
        """At least the largest absolute slope in each region, (batch,), where a form has one slope a coefficient."""
        return None

    @abstractmethod
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Forms (rows, *input shape) and constants (rows,) that together never exceed the rows given.

        Rows are over the part of a map that the relaxation is of.
        """

    def cropped(self, part: Part) -> Relaxation | None:
        """The relaxation of a part of a map; ``None`` when it has none, and rows must be over the whole."""
        del part
        return None


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

    @cached_property
    @override
    def gain(self) -> Tensor:
        return torch.maximum(self.lower_slope.abs(), self.upper_slope.abs()).flatten(1).amax(1)

    @override
    def cropped(self, part: Part) -> Lines:
        lower_offset = None if self.lower_offset is None else part.of(self.lower_offset)
        lower_slope, upper_slope = part.of(self.lower_slope), part.of(self.upper_slope)
        return Lines(lower_slope, lower_offset, upper_slope, part.of(self.upper_offset), self.size)

    @override
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        positive = rows.coef.clamp(min=0)
        negative = rows.coef - positive
        form = negative * rows.places.of(self.upper_slope)
        form.addcmul_(positive, rows.places.of(self.lower_slope))
        constant = rows.places.dot(negative, self.upper_offset)
        if self.lower_offset is not None:
            constant = constant + rows.places.dot(positive, self.lower_offset)
        return form, constant


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
        coef = rows.coef.flatten(2)
        held = torch.where(rows.places.of(self.decided), coef, coef.clamp(min=0))
        constant = rows.places.dot(coef - held, self.ceiling)
        places = rows.places.of(self.best).expand(coef.shape)
        spread = torch.zeros(*coef.shape[:2], prod(self.plane), dtype=coef.dtype).scatter_add(2, places, held)
        return spread.reshape(*coef.shape[:2], *self.plane), constant
