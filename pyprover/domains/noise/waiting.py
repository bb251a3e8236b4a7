"""Steps on split noise that wait until its blocks are read next: see `blocks.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.noise.base import Noise
from pyprover.domains.noise.storage import Storage
from pyprover.graph import Operator, Shape


class Layout(Protocol):
    """How noise is split."""

    @property
    def inner(self) -> Storage:
        """The storage of a block."""

    @property
    def width(self) -> int:
        """How many symbols a block has."""


class Step(ABC):
    """What waits to happen to the blocks of a value."""

    @abstractmethod
    def on(self, block: Noise | None, start: int, layout: Layout) -> Noise | None:
        """The result on the block of symbols from ``start`` on; ``None`` is a block that moves nothing."""


@dataclass(frozen=True, eq=False)
class Moved(Step):
    """Entries moved by an operator, whose result has this shape."""

    op: Operator
    shape: Shape

    @override
    def on(self, block: Noise | None, start: int, layout: Layout) -> Noise | None:
        return None if block is None else block.through(self.op, (), self.shape)


@dataclass(frozen=True, eq=False)
class Chosen(Step):
    """Entries at places of their channel: (batch, channels, count)."""

    places: Tensor
    shape: Shape

    @override
    def on(self, block: Noise | None, start: int, layout: Layout) -> Noise | None:
        return None if block is None else block.selected(self.places, self.shape)


@dataclass(frozen=True, eq=False)
class Scaled(Step):
    """Entries multiplied: (batch, *shape)."""

    slope: Tensor

    @override
    def on(self, block: Noise | None, start: int, layout: Layout) -> Noise | None:
        return None if block is None else block.scaled(self.slope)


@dataclass(frozen=True, eq=False)
class Born(Step):
    """New symbols; as in ``Noise.banded``."""

    slope: Tensor | None
    first: int
    radius: Tensor
    fresh: Tensor

    @cached_property
    def _numbers(self) -> Tensor:
        """The symbol of each entry, -1 for none: (batch, *shape)."""
        numbers = self.first - 1 + self.fresh.flatten(1).cumsum(1, dtype=torch.int32)
        return numbers.reshape(self.fresh.shape).where(self.fresh, -1)

    @cached_property
    def stop(self) -> int:
        """One more than the last of the symbols."""
        return self.first + int(self.fresh.flatten(1).sum(1).max())

    @override
    def on(self, block: Noise | None, start: int, layout: Layout) -> Noise | None:
        end = start + layout.width
        if self.stop <= start or self.first >= end:
            return block if block is None or self.slope is None else block.scaled(self.slope)
        here = (self._numbers >= max(start, self.first)) & (self._numbers < end)
        first = max(self.first - start, 0)
        if block is None:
            return layout.inner(self.radius).extended(first, self.radius, here)
        if self.slope is None:
            return block.extended(first, self.radius, here)
        return block.banded(self.slope, first, self.radius, here)
