"""What every storage of noise can do.

The noise of a value (batch, *shape) holds its generators, one coefficient for each symbol and each entry. Symbol k of a
region is one number in [-1, 1], the same in all values; a value knows the first ``symbols`` of them. Regions of a batch
number their own symbols, each without gaps: where one has fewer, its last ones move nothing.

All storages give the same numbers up to rounding of the order in which terms are added; `zonotope.py` pays for that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self, TypeVar

from torch import Tensor

from pyprover.graph import Operator, Shape


class TooLargeError(Exception):
    """The generators of a value would exceed the budget of their storage; the text says what would be needed."""


AnyNoise = TypeVar("AnyNoise", bound="Noise")


class Noise(ABC):
    """All generators of a value, for a batch of regions. Immutable: each step gives a new one."""

    @property
    @abstractmethod
    def symbols(self) -> int:
        """How many symbols the value knows."""

    @property
    @abstractmethod
    def radius(self) -> Tensor:
        """The most by which the symbols move each entry: sums of absolute generators, (batch, *shape)."""

    @property
    @abstractmethod
    def bytes(self) -> int:
        """What the storage holds in memory for this value, in bytes."""

    @abstractmethod
    def through(self: AnyNoise, op: Operator, others: Sequence[AnyNoise], shape: Shape) -> Noise:
        """The generators under the linear part of an operator on this value and others, with the result's shape.

        Those that know fewer symbols than another do not depend on the rest. ``TooLargeError``.
        """

    @abstractmethod
    def scaled(self, slope: Tensor) -> Noise:
        """Each entry multiplied: ``slope`` (batch, *shape)."""

    @abstractmethod
    def combined(self, weights: Tensor) -> Noise:
        """The sum along the last axis, weighted: ``weights`` (batch, *shape)."""

    @abstractmethod
    def extended(self, first: int, radius: Tensor, fresh: Tensor) -> Noise:
        """With a symbol of its own, of this radius, for each entry where ``fresh`` holds; numbered from ``first``.

        ``radius`` and ``fresh`` (batch, *shape). In each region they are numbered in the order of the entries, without
        gaps. ``TooLargeError``.
        """

    def banded(self, slope: Tensor, first: int, radius: Tensor, fresh: Tensor) -> Noise:
        """`scaled`, then `extended`; storages that can do both at once in less memory do."""
        return self.scaled(slope).extended(first, radius, fresh)

    @abstractmethod
    def selected(self, places: Tensor, shape: Shape) -> Noise:
        """Of each channel, the entries at flat places (batch, channels, count) of its plane, in another shape."""

    @abstractmethod
    def spread(self: AnyNoise, places: Tensor, anchor: AnyNoise) -> Tensor:
        """The radius of the difference of ``selected(places, ...)`` and an anchor of its shape: (batch, *shape).

        The anchor knows the same symbols.
        """

    def spreads(self: AnyNoise, members: Sequence[Tensor], anchor: AnyNoise) -> list[Tensor]:
        """`spread` at the places of each member; storages that read their noise only once for all do."""
        return [self.spread(places, anchor) for places in members]

    @abstractmethod
    def forms(self, region: int, cells: Tensor) -> Tensor:
        """Of one region, the generators of the entries at flat places: (places, symbols)."""

    @abstractmethod
    def dense(self) -> Tensor:
        """All generators as one tensor (batch, symbols, *shape)."""

    def bare(self) -> Self:
        """The same, without what it can compute again: what is worth keeping of it."""
        storage: Any = self  # all are dataclasses, whose copies have no cached properties
        copy: Self = replace(storage)
        return copy
