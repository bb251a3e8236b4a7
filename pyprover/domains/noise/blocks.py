"""Split noise: blocks of consecutive symbols, worked on one at a time, each a noise of another storage.

Block k holds the symbols from ``k width`` on, in all values alike, so that the operands of a sum match block by block;
a block of which no symbol moves a value is not there at all. Only steps that change how generators add up are carried
out: an operator that computes reads each block, and writes its image. All else is known from the radii, and waits:
moves, maxima's choices, the slopes of a non-linear layer and its new symbols happen to each block after it is read
next. So an affine layer together with the non-linear one before it costs one read and one write of the noise.

At most three blocks are in memory at a time, or one more for each further operand: what was read, what a waiting step
makes of it, and its image; and what the inner storage needs on its way.

*Rounding.* The radius of a scaled value is the scaled radius, not the sum of scaled generators: that is two roundings
more for each entry, which the 8 of ``Zonotope.within`` pay. So one scaling may wait, not two. New symbols, moves and
choices cost no more than with other storages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.interval import homogeneous
from pyprover.domains.noise.base import Noise
from pyprover.domains.noise.storage import Storage, alike, image
from pyprover.domains.noise.store import Shelf, Store
from pyprover.domains.noise.waiting import Born, Chosen, Moved, Scaled, Step
from pyprover.graph import Graph, Operator, Shape
from pyprover.ops import Gather, Pad, Reshape, Transpose

MOVES = (Gather, Pad, Reshape, Transpose)
"""Operators of one input that compute nothing."""


def width_within(size: int, graph: Graph, regions: int, dtype: torch.dtype) -> int:
    """How many symbols a dense block may have so as to take this many bytes at most at any value; at least one."""
    largest = regions * max(prod(shape) for shape in graph.shapes) * dtype.itemsize
    return max(1, size // largest)


@dataclass(frozen=True, eq=False)
class Split:
    """The storage: ``width`` symbols a block, each block in the ``inner`` storage, all of them in a store."""

    inner: Storage
    width: int
    store: Store

    def __call__(self, like: Tensor) -> BlockNoise:
        """Noise without symbols, for a value (batch, *shape)."""
        return BlockNoise(self, 0, torch.zeros_like(like), None, ())


@dataclass(frozen=True, eq=False)
class BlockNoise(Noise):
    """Blocks on a shelf, which values may share, and what is still to happen to them.

    Beside the blocks, a few tensors of the value's size are in memory.
    """

    split: Split
    count: int
    total: Tensor
    shelf: Shelf | None
    steps: tuple[Step, ...]

    @property
    @override
    def symbols(self) -> int:
        return self.count

    @property
    @override
    def radius(self) -> Tensor:
        return self.total

    @property
    @override
    def bytes(self) -> int:
        return 0 if self.shelf is None else self.shelf.bytes

    @override
    def through(self, op: Operator, others: Sequence[BlockNoise], shape: Shape) -> BlockNoise:
        if isinstance(op, MOVES):
            return self._waiting(homogeneous(op).forward(self.total), Moved(op, shape))

        def applied(*blocks: Noise) -> Noise:
            return image(op, blocks, shape)

        return self._rewritten(applied, others, shape)

    @override
    def scaled(self, slope: Tensor) -> BlockNoise:
        return self._scalable()._waiting(self.total * slope.abs(), Scaled(slope))

    @override
    def combined(self, weights: Tensor) -> BlockNoise:
        return self._rewritten(lambda block: block.combined(weights), (), tuple(weights.shape[1:-1]))

    @override
    def extended(self, first: int, radius: Tensor, fresh: Tensor) -> BlockNoise:
        return self._grown(self.total, Born(None, first, radius, fresh))

    @override
    def banded(self, slope: Tensor, first: int, radius: Tensor, fresh: Tensor) -> BlockNoise:
        ready = self._scalable()
        return ready._grown(ready.total * slope.abs(), Born(slope, first, radius, fresh))

    @override
    def selected(self, places: Tensor, shape: Shape) -> BlockNoise:
        chosen = self.total.flatten(2).gather(2, places).reshape(-1, *shape)
        return self._waiting(chosen, Chosen(places, shape))

    @override
    def spread(self, places: Tensor, anchor: BlockNoise) -> Tensor:
        return self.spreads([places], anchor)[0]

    @override
    def spreads(self, members: Sequence[Tensor], anchor: BlockNoise) -> list[Tensor]:
        totals = [torch.zeros_like(anchor.total) for _ in members]
        for start in self._starts(self.count):
            self._add_spreads(totals, start, members, anchor)
        return totals

    @override
    def forms(self, region: int, cells: Tensor) -> Tensor:
        found = self.total.new_zeros(len(cells), self.count)
        for start in self._starts(self.count):
            if (block := self._block(start)) is not None:
                found[:, start : start + block.symbols] = block.forms(region, cells)
        return found

    @override
    def dense(self) -> Tensor:
        found = self.total.new_zeros(len(self.total), self.count, *self.total.shape[1:])
        for start in self._starts(self.count):
            if (block := self._block(start)) is not None:
                found[:, start : start + block.symbols] = block.dense()
        return found

    def _starts(self, count: int) -> Iterator[int]:
        return iter(range(0, count, self.split.width))

    def _waiting(self, total: Tensor, step: Step) -> BlockNoise:
        return replace(self, total=total, steps=(*self.steps, step))

    def _grown(self, total: Tensor, born: Born) -> BlockNoise:
        total = total + born.radius.abs().where(born.fresh, 0.0)
        return replace(self._waiting(total, born), count=born.stop)

    def _scalable(self) -> BlockNoise:
        """The same noise without a scaling that waits."""
        if any(isinstance(step, Scaled) or (isinstance(step, Born) and step.slope is not None) for step in self.steps):
            return self._rewritten(lambda block: block, (), tuple(self.total.shape[1:]))
        return self

    def _block(self, start: int) -> Noise | None:
        """The block of symbols from ``start`` on, with all that waits."""
        block = None if self.shelf is None else self.shelf.get(start // self.split.width)
        return self._after(0, block, start)

    def _after(self, done: int, block: Noise | None, start: int) -> Noise | None:
        """What becomes of a block under the steps that wait, some of which are done."""
        for step in self.steps[done:]:
            block = step.on(block, start, self.split)
        return block

    def _filled(self, block: Noise | None) -> Noise:
        return self.split.inner(self.total) if block is None else block

    def _add_spreads(self, totals: list[Tensor], start: int, members: Sequence[Tensor], anchor: BlockNoise) -> None:
        """The share of the block of symbols from ``start`` on in ``spreads``."""
        mine = self._block(start)
        theirs = self._continued(mine, start, anchor)
        if mine is None and theirs is None:
            return
        ours = alike([self._filled(mine), anchor._filled(theirs)])
        for total, places in zip(totals, members, strict=True):
            total += ours[0].spread(places, ours[1])

    def _continued(self, block: Noise | None, start: int, other: BlockNoise) -> Noise | None:
        """Another value's block, from that of this one where it is made of it."""
        done = len(self.steps)
        if other.shelf is not self.shelf or other.steps[:done] != self.steps:
            return other._block(start)
        return other._after(done, block, start)

    def _rewritten(self, step: Callable[..., Noise], others: Sequence[BlockNoise], shape: Shape) -> BlockNoise:
        """The blocks of one or more values through a step, kept on a shelf of their own, and their radius."""
        operands = (self, *others)
        count = max(noise.count for noise in operands)
        total = self.total.new_zeros(len(self.total), *shape)
        shelf = self.split.store.shelf()
        for start in self._starts(count):
            shelf.add(_result(step, operands, start, total))
        return BlockNoise(self.split, count, total, shelf, ())


def _result(step: Callable[..., Noise], operands: Sequence[BlockNoise], start: int, total: Tensor) -> Noise | None:
    """A step on the blocks of operands from a symbol on, ``None`` where none moves anything; ``total`` grows by it."""
    blocks = [noise._block(start) for noise in operands]
    if all(block is None for block in blocks):
        return None
    filled = (
        noise.split.inner(noise.total) if block is None else block
        for noise, block in zip(operands, blocks, strict=True)
    )
    result = step(*filled)
    total += result.radius
    return result
