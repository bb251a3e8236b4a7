"""Dense noise: one tensor a value. The fastest where most symbols move most entries.

Steps write into their result a few symbols at a time: beside what goes in and what comes out nothing large is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.domains.interval import homogeneous
from pyprover.domains.noise.base import Noise
from pyprover.domains.resources import require
from pyprover.graph import Operator, Shape
from pyprover.ops import Conv, ConvTranspose, Reshape, Transpose

PART_BYTES = 4 << 20
"""Bytes that a step handles at once, temporary copies included: little beside the generators, and within the cache."""


def require_room(like: Tensor, symbols: int, shape: Shape) -> None:
    """Raise ``TooLargeError`` when so many generators, for a batch and in the type of a tensor, are too many."""
    size = len(like) * symbols * prod(shape) * like.element_size()
    require(size, f"{symbols} noise symbols over {prod(shape)} values")


@dataclass(frozen=True, eq=False)
class DenseNoise(Noise):
    """``generators``: (batch, symbols, *shape)."""

    generators: Tensor

    @classmethod
    def none(cls, like: Tensor) -> DenseNoise:
        """No symbols, for a value (batch, *shape)."""
        return cls(like.new_zeros(len(like), 0, *like.shape[1:]))

    @property
    @override
    def symbols(self) -> int:
        return self.generators.shape[1]

    @cached_property
    @override
    def radius(self) -> Tensor:
        total = torch.zeros_like(self.generators[:, :0].sum(1))
        for part in _parts(self.symbols, 2 * _each(self.generators)):
            total += self.generators[:, part].abs().sum(1)
        return total

    @property
    @override
    def bytes(self) -> int:
        return self.generators.numel() * self.generators.element_size()

    @override
    def through(self, op: Operator, others: Sequence[DenseNoise], shape: Shape) -> DenseNoise:
        operands = (self, *others)
        symbols = max(noise.symbols for noise in operands)
        require_room(self.generators, symbols, shape)
        if isinstance(op, Reshape | Transpose):
            moved = op.forward(self.generators.flatten(0, 1))
            return DenseNoise(moved.reshape(len(self.generators), symbols, *shape))
        op = homogeneous(op)
        result = self.generators.new_empty(len(self.generators), symbols, *shape)
        for part in _parts(symbols, _transient(op, operands, result)):
            flat = (_padded(noise.generators[:, part], part.stop - part.start).flatten(0, 1) for noise in operands)
            result[:, part] = op.forward(*flat).reshape(len(result), -1, *shape)
        return DenseNoise(result)

    @override
    def scaled(self, slope: Tensor) -> DenseNoise:
        return DenseNoise(self.generators * slope.unsqueeze(1))

    @override
    def combined(self, weights: Tensor) -> DenseNoise:
        result = self.generators.new_empty(self.generators.shape[:-1])
        for part in _parts(self.symbols, 2 * _each(self.generators)):
            result[:, part] = (self.generators[:, part] * weights.unsqueeze(1)).sum(-1)
        return DenseNoise(result)

    @override
    def extended(self, first: int, radius: Tensor, fresh: Tensor) -> DenseNoise:
        return self._grown(None, first, radius, fresh)

    @override
    def banded(self, slope: Tensor, first: int, radius: Tensor, fresh: Tensor) -> DenseNoise:
        return self._grown(slope, first, radius, fresh)

    def _grown(self, slope: Tensor | None, first: int, radius: Tensor, fresh: Tensor) -> DenseNoise:
        """Written into the result at once, so that no third copy exists on the way."""
        batch, shape, known = len(radius), radius.shape[1:], self.symbols
        mask = fresh.flatten(1)
        symbols = first + int(mask.sum(1).max())
        require_room(radius, symbols, tuple(shape))
        grown = radius.new_empty(batch, symbols, mask.shape[1])
        kept = grown[:, :known].view(self.generators.shape)
        kept.copy_(self.generators) if slope is None else torch.mul(self.generators, slope.unsqueeze(1), out=kept)
        grown[:, known:] = 0
        region, place = mask.nonzero(as_tuple=True)
        grown[region, first + (mask.cumsum(1) - 1)[region, place], place] = radius.flatten(1)[region, place]
        return DenseNoise(grown.reshape(batch, symbols, *shape))

    @override
    def selected(self, places: Tensor, shape: Shape) -> DenseNoise:
        return DenseNoise(_gathered(self.generators, places).reshape(*self.generators.shape[:2], *shape))

    @override
    def spread(self, places: Tensor, anchor: DenseNoise) -> Tensor:
        total = torch.zeros_like(anchor.generators[:, :0].sum(1))
        for part in _parts(self.symbols, 4 * _each(anchor.generators)):
            theirs = anchor.generators[:, part]
            mine = _gathered(self.generators[:, part], places).reshape(theirs.shape)
            total += mine.sub_(theirs).abs_().sum(1)
        return total

    @override
    def forms(self, region: int, cells: Tensor) -> Tensor:
        return self.generators[region].flatten(1)[:, cells].T

    @override
    def dense(self) -> Tensor:
        return self.generators


def _parts(symbols: int, each: int) -> Iterator[slice]:
    """All symbols, as many at a time as go into ``PART_BYTES`` when each needs so many bytes; at least one."""
    count = max(1, PART_BYTES // max(1, each))
    for first in range(0, symbols, count):
        yield slice(first, min(first + count, symbols))


def _each(generators: Tensor) -> int:
    """Bytes of one symbol in all regions."""
    return generators.nbytes // max(1, generators.shape[1])


def _transient(op: Operator, operands: Sequence[DenseNoise], result: Tensor) -> int:
    """Bytes of what an operator reads, computes and unfolds on the way, for one symbol in all regions.

    Convolutions in float64 unfold each window of all that they are given into a column.
    """
    cells = prod(op.weight.shape[2:]) if isinstance(op, Conv | ConvTranspose) else 1
    return (1 + cells) * (_each(result) + sum(_each(noise.generators) for noise in operands))


def _gathered(generators: Tensor, places: Tensor) -> Tensor:
    index = places.unsqueeze(1).expand(-1, generators.shape[1], -1, -1)
    return generators.flatten(3).gather(3, index)


def _padded(generators: Tensor, symbols: int) -> Tensor:
    missing = symbols - generators.shape[1]
    return functional.pad(generators, (0, 0) * (generators.ndim - 2) + (0, missing)) if missing else generators
