"""Noise of zonotopes: how the generators of a value are stored. Nothing else knows the storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from torch import Tensor
from torch.nn import functional

from pyprover.domains.interval import homogeneous
from pyprover.graph import Operator, Shape

BUDGET = 256 << 20
"""Bytes that the generators of one value may take."""

_BLOCK = 64


class TooLargeError(Exception):
    """The generators of a value would exceed ``BUDGET``."""


def require_room(batch: int, symbols: int, shape: Shape) -> None:
    """Raise ``TooLargeError`` when so many generators are too many."""
    size = batch * symbols * prod(shape) * 8
    if size > BUDGET:
        raise TooLargeError(f"{symbols} noise symbols over {prod(shape)} values need {size / 2**20:.0f} MiB")


@dataclass(frozen=True, eq=False)
class DenseNoise:
    """All generators of a value, for a batch of regions: (batch, symbols, *shape).

    Symbol k of a region is one number in [-1, 1], the same in all values; a value knows the first ``symbols`` of them.
    """

    generators: Tensor

    @classmethod
    def none(cls, like: Tensor) -> DenseNoise:
        """No symbols, for a value (batch, *shape)."""
        return cls(like.new_zeros(len(like), 0, *like.shape[1:]))

    @property
    def symbols(self) -> int:
        """How many symbols the value knows."""
        return self.generators.shape[1]

    @cached_property
    def radius(self) -> Tensor:
        """The most by which the symbols move each value: (batch, *shape)."""
        total = torch.zeros_like(self.generators[:, :0].sum(1))
        for block in torch.split(self.generators, _BLOCK, dim=1):
            total = total + block.abs().sum(1)
        return total

    def unsqueezed(self) -> DenseNoise:
        """With a last axis of length one."""
        return DenseNoise(self.generators.unsqueeze(-1))

    def combined(self, weights: Tensor) -> DenseNoise:
        """The sum along the last axis, weighted: ``weights`` (batch, *shape)."""
        return DenseNoise((self.generators * weights.unsqueeze(1)).sum(-1))

    def gathered(self, places: Tensor, shape: Shape) -> DenseNoise:
        """Of each channel, the values at places (batch, channels, count) of its plane, in another shape."""
        index = places.unsqueeze(1).expand(-1, self.symbols, -1, -1)
        return DenseNoise(self.generators.flatten(3).gather(3, index).reshape(*self.generators.shape[:2], *shape))

    def forms(self, region: int, cells: Tensor) -> Tensor:
        """Of one region, the generators of the values at some flat places: (places, symbols)."""
        return self.generators[region].flatten(1)[:, cells].T

    def padded(self, symbols: int) -> DenseNoise:
        """With symbols that move nothing, up to so many."""
        return DenseNoise(_padded(self.generators, symbols))

    def minus(self, other: DenseNoise) -> DenseNoise:
        """The difference of two values that know the same symbols."""
        return DenseNoise(self.generators - other.generators)

    def extended(self, first: int, radius: Tensor, fresh: Tensor) -> DenseNoise:
        """With a symbol of its own, of this radius, for each value where ``fresh`` holds; numbered from ``first``.

        In each region they are numbered without gaps; regions with fewer of them leave the last ones unused.
        """
        batch, shape = len(radius), radius.shape[1:]
        mask = fresh.flatten(1)
        count = int(mask.sum(1).max())
        require_room(batch, first + count, tuple(shape))
        own = radius.new_zeros(batch, count, mask.shape[1])
        region, place = mask.nonzero(as_tuple=True)
        own[region, (mask.cumsum(1) - 1)[region, place], place] = radius.flatten(1)[region, place]
        known = _padded(self.generators, first)
        return DenseNoise(torch.cat([known, own.reshape(batch, count, *shape)], dim=1))


def image(op: Operator, operands: Sequence[DenseNoise], shape: Shape) -> DenseNoise:
    """The generators under the linear part of an operator, whose result has this shape: symbols as a batch axis."""
    symbols = max(noise.symbols for noise in operands)
    batch = len(operands[0].generators)
    require_room(batch, symbols, shape)
    flat = (_padded(noise.generators, symbols).flatten(0, 1) for noise in operands)
    return DenseNoise(homogeneous(op).forward(*flat).reshape(batch, symbols, *shape))


def _padded(generators: Tensor, symbols: int) -> Tensor:
    missing = symbols - generators.shape[1]
    return functional.pad(generators, (0, 0) * (generators.ndim - 2) + (0, missing)) if missing else generators
