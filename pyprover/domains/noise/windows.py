"""Windows: of each symbol only the part of the map that it can reach.

After a few convolutions a symbol of the input, or of one neuron, moves a small rectangle of a map: its receptive field
the other way round. Symbols that came together form a group, whose windows have one size (`window_groups.py`). What
operators make of windows is in `window_conv.py` and `window_maps.py`; dense layers, which read the whole map, give
dense noise. Windows never hold more numbers than dense noise does, since they stay inside the map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Self

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.interval import homogeneous
from pyprover.domains.noise.base import Noise
from pyprover.domains.noise.dense import DenseNoise, require_room
from pyprover.domains.noise.frames import plane_of
from pyprover.domains.noise.window_conv import Convolved, taps_of
from pyprover.domains.noise.window_groups import Group, Source, add_radius, born, group_of, is_light
from pyprover.domains.noise.window_maps import Joined, Mapped, Picked, Term, places_in
from pyprover.domains.resources import require
from pyprover.graph import Operator, Shape
from pyprover.ops import Add, Concat, Conv, Dense, Pad, Reshape, Scale

_GATHERED = 1 << 20
"""Numbers of a matrix that are gathered at a time."""

_ROWS = 16
"""Rows that a matrix is applied to at once, at least: fewer would spend more time on reading the matrix."""


@dataclass(frozen=True, eq=False)
class WindowNoise(Noise):
    """``groups`` of windows in one plane; the entries of ``shape`` are those of the plane, in its order.

    ``known`` is how many symbols there are, ``like`` a tensor (batch, 0) of the type of all numbers. ``depth`` says how
    many convolutions, one after the other, are computed whenever a value is read, rather than held.
    """

    like: Tensor
    shape: Shape
    plane: Shape
    known: int = 0
    groups: tuple[Group, ...] = ()
    depth: int = 0

    @classmethod
    def none(cls, like: Tensor) -> WindowNoise:
        """No symbols, for a value (batch, *shape)."""
        shape = tuple(like.shape[1:])
        return cls(like.new_empty(len(like), 0), shape, plane_of(shape))

    @classmethod
    def thrifty(cls, like: Tensor) -> WindowNoise:
        """No symbols; values of up to two convolutions on are computed from what is held before them, each time anew.

        That takes about twice the time: the peak of resnet_2b (VNN-COMP 2021, float64, radius 2/255) falls from 75 MiB
        to 29, where dense noise takes 138.
        """
        return replace(cls.none(like), depth=2)

    @property
    @override
    def symbols(self) -> int:
        return self.known

    @cached_property
    @override
    def radius(self) -> Tensor:
        channels, height, width = self.plane
        total = self.like.new_zeros(len(self.like), height, width, channels)
        for group in self.groups:
            group.add_to(total)
        return total.permute(0, 3, 1, 2).reshape(-1, *self.shape)

    @property
    @override
    def bytes(self) -> int:
        leaves = set().union(*(group.leaves() for group in self.groups))
        planes = {id(t): t.nbytes for group in self.groups for t in (group.radius, group.slope) if t is not None}
        return sum(leaf.bytes for leaf in leaves) + sum(planes.values())

    @override
    def through(self, op: Operator, others: Sequence[WindowNoise], shape: Shape) -> Noise:
        match op:
            case Reshape():
                return replace(self, shape=shape)
            case Scale():
                return self.scaled(op.factor.expand(shape).unsqueeze(0))
            case Conv():
                planar, taps = self._planar(), taps_of(op)
                return planar._stored(shape, [Convolved.of(group, op, taps, shape) for group in planar.groups])
            case Dense() if prod(shape) == shape[-1]:
                return self._product(op.weight, shape)
            case Add() | Concat() | Pad():
                return self._joined(op, [self, *others], shape)
            case _:
                return self._mapped(op, shape)

    def _planar(self) -> WindowNoise:
        """In the plane of its shape: where it has another, windows are looked for."""
        plane = plane_of(self.shape)
        if plane == self.plane:
            return self
        return self._stored(self.shape, [Mapped.of(group, lambda maps: maps, plane) for group in self.groups])

    def _stored(self, shape: Shape, sources: Sequence[Source], plane: Shape | None = None) -> WindowNoise:
        """The windows of sources; those of groups are there."""
        fresh = [source for source in sources if not isinstance(source, Group) and not is_light(source, self.depth)]
        size = sum(source.size for source in fresh) * self.like.element_size()
        require(size, f"windows of {self.known} noise symbols over {prod(shape)} values")
        groups = [
            source if isinstance(source, Group) else group_of(source, self.like, self.depth) for source in sources
        ]
        return replace(self, shape=shape, plane=plane or plane_of(shape), groups=tuple(groups))

    def _joined(self, op: Add | Concat | Pad, operands: Sequence[WindowNoise], shape: Shape) -> Noise:
        """Values on each other, side by side, or one with zeros around it: groups of the same symbols are added up."""
        entrywise = isinstance(op, Add)
        if not entrywise and len(shape) != 3:
            return _through_dense(op, operands, shape)
        if not entrywise or len({noise.plane for noise in operands}) > 1:
            operands = [noise._planar() for noise in operands]
        terms: dict[int, list[Term]] = {}
        for noise, place in zip(operands, places_in(op, [noise.shape for noise in operands]), strict=True):
            for group in noise.groups:
                terms.setdefault(group.birth.first, []).append(Term(group, *place))
        if not _apart([[term.source for term in same] for same in terms.values()]):
            return _through_dense(op, operands, shape)
        plane = operands[0].plane if entrywise else plane_of(shape)
        sources = [
            same[0].source if entrywise and len(same) == 1 else Joined.of(same, plane)
            for _, same in sorted(terms.items())
        ]
        every = replace(self, known=max(noise.known for noise in operands))
        return every._stored(shape, sources, plane)

    def _mapped(self, op: Operator, shape: Shape) -> Noise:
        """Under an operator of one value of which nothing is known but that it is linear."""
        linear, here = homogeneous(op), self.shape

        def change(maps: Tensor) -> Tensor:
            return linear.forward(maps.reshape(-1, *here))

        plane = plane_of(shape)
        sources = [Mapped.of(group, change, plane) for group in self.groups]
        if any(2 * source.row_size > prod(plane) for source in sources):
            return self._spread_out(shape, lambda group, rows: change(group.maps(rows)))
        return self._stored(shape, sources)

    def _product(self, weight: Tensor, shape: Shape) -> DenseNoise:
        """Under a matrix (out, entries), of which only what belongs to the entries that some rows reach is read."""
        planes = weight.view(-1, *self.plane)
        lots = torch.split(planes, max(1, _GATHERED // prod(self.plane)))  # what is read of them is copied

        def image(group: Group, rows: Tensor) -> Tensor:
            lines, columns, cells = group.crop(rows)
            return torch.cat([cells.flatten(1) @ some[:, :, lines, columns].flatten(1).T for some in lots], 1)

        return self._spread_out(shape, image)

    def _spread_out(self, shape: Shape, image: Callable[[Group, Tensor], Tensor]) -> DenseNoise:
        """Dense noise of this shape, from what some rows of a group become."""
        require_room(self.like, self.known, shape)
        result = self.like.new_zeros(len(self.like) * self.known, *shape)
        for group in self.groups:
            for rows in group.parts(max(prod(self.plane), prod(shape)), least=_ROWS):
                numbers = group.birth.numbers.flatten()[rows]
                result[group.region(rows) * self.known + numbers] = image(group, rows).view(-1, *shape)
        return DenseNoise(result.view(len(self.like), self.known, *shape))

    @override
    def scaled(self, slope: Tensor) -> WindowNoise:
        over = slope.expand(len(self.like), *self.shape).reshape(-1, *self.plane).permute(0, 2, 3, 1).contiguous()
        slopes = {id(group.slope): over if group.slope is None else group.slope * over for group in self.groups}
        return replace(self, groups=tuple(group.with_slope(slopes[id(group.slope)], over) for group in self.groups))

    @override
    def combined(self, weights: Tensor) -> DenseNoise:
        return DenseNoise(self.dense()).combined(weights)

    @override
    def extended(self, first: int, radius: Tensor, fresh: Tensor) -> WindowNoise:
        count = int(fresh.flatten(1).sum(1).max())
        more = replace(self, known=first + count)
        if not count:
            return more
        group = born(first, radius.reshape(-1, *self.plane), fresh.reshape(-1, *self.plane))
        return more._stored(self.shape, [*self.groups, group], self.plane)

    @override
    def selected(self, places: Tensor, shape: Shape) -> WindowNoise:
        planar = self._planar()
        return planar._stored(shape, [Picked.of(group, places, shape) for group in planar.groups])

    @override
    def spread(self, places: Tensor, anchor: WindowNoise) -> Tensor:
        planar, plane = self._planar(), anchor.plane
        total = self.like.new_zeros(len(self.like), *plane[1:], plane[0])
        for mine, theirs in zip(planar.groups, anchor.groups, strict=True):
            gap = Joined.of([Term(Picked.of(mine, places, plane)), Term(theirs, factor=-1)], plane)
            for rows in gap.parts():
                add_radius(total, gap, rows, gap.cells(rows))
        return total.permute(0, 3, 1, 2).reshape(-1, *anchor.shape)

    @override
    def forms(self, region: int, cells: Tensor) -> Tensor:
        found = self.like.new_zeros(len(cells), self.known)
        for group in self.groups:
            found[:, group.birth.numbers[region].long()] = group.at(region, cells)
        return found

    @override
    def bare(self) -> Self:
        """Without radii, each of which has the size of the plane, however few the windows of its group are."""
        return replace(self, groups=tuple(replace(group, radius=None) for group in self.groups))

    @override
    def dense(self) -> Tensor:
        return self._spread_out(self.shape, lambda group, rows: group.maps(rows)).generators


def _apart(groups: Iterable[Sequence[Source]]) -> bool:
    """Whether groups of one birth hold the same symbols, and those of different births other ones."""
    end = 0
    for same in sorted(groups, key=lambda each: each[0].birth.first):
        birth = same[0].birth
        if birth.first < end or not all(birth.same(other.birth) for other in same[1:]):
            return False
        end = birth.first + birth.numbers.shape[1]
    return True


def _through_dense(op: Operator, operands: Sequence[WindowNoise], shape: Shape) -> Noise:
    first, *others = (DenseNoise(noise.dense()) for noise in operands)
    return first.through(op, others, shape)
