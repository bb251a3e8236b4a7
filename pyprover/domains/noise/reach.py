"""How far noise symbols reach, without numbers: what storages need to hold can be told from it before it is held.

Symbols that appear at one value are a group. On a map (channels, height, width) each symbol of a group reaches a window
of positions, in all channels; a convolution widens the window as it does a receptive field. What is no longer a map is
reached as a whole. Windows are taken as large as positions allow, those cut by the border included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TypeAlias

from pyprover.graph import Operator, Shape
from pyprover.ops import Add, Concat, Conv, ConvTranspose, Dense, Gather, MaxPool, Pad, Reshape, Scale

Extent: TypeAlias = tuple[int, int]
"""Height and width of a window."""


@dataclass(frozen=True)
class Group:
    """``count`` symbols that appeared at the value ``born``; their window there is ``extent``, ``None`` for all."""

    born: int
    count: int
    extent: Extent | None


@dataclass(frozen=True)
class Reach:
    """What the symbols of one region reach of a value; ``plane``: the map that the value is or was flattened from."""

    shape: Shape
    plane: Shape | None
    groups: tuple[Group, ...]

    @cached_property
    def symbols(self) -> int:
        """How many symbols there are."""
        return sum(group.count for group in self.groups)

    @cached_property
    def values(self) -> int:
        """How many entries the value has."""
        return prod(self.shape)

    @cached_property
    def cells(self) -> int:
        """How many coefficients there are inside the windows."""
        return sum(group.count * self.cells_of(group) for group in self.groups)

    @property
    def windowed(self) -> bool:
        """Whether some symbols are known to reach a window only."""
        return any(group.extent is not None for group in self.groups)

    def cells_of(self, group: Group) -> int:
        """How many coefficients each symbol of a group has."""
        if group.extent is None or self.plane is None:
            return self.values
        channels, height, width = self.plane
        return channels * min(group.extent[0], height) * min(group.extent[1], width)

    def with_fresh(self, born: int, count: int) -> Reach:
        """With symbols of one entry each."""
        extent = None if self.plane is None else (1, 1)
        return Reach(self.shape, self.plane, (*self.groups, Group(born, count, extent)))


def reach_of_input(shape: Shape, free: int) -> Reach:
    """The input, of which so many entries are free."""
    return Reach(shape, shape if len(shape) == 3 else None, ()).with_fresh(0, free)


def through(op: Operator, inputs: Sequence[Reach], shape: Shape) -> Reach:
    """The reach under an operator, before it adds symbols of its own; ``shape`` is its result's."""
    x = inputs[0]
    groups = _merged(inputs)
    if isinstance(op, Conv | ConvTranspose | MaxPool):
        return Reach(shape, shape, tuple(_widened(op, group) for group in groups))
    flattened = isinstance(op, Reshape) and prod(shape) == max(shape, default=1)
    if flattened or ((isinstance(op, Scale | Add) or not op.linear) and shape == x.shape):
        return Reach(shape, x.plane, groups)
    along_channels = isinstance(op, Concat | Gather) and op.axis == 0
    if len(shape) == 3 and (isinstance(op, Pad) or along_channels):
        return Reach(shape, shape, groups)
    return Reach(shape, shape if len(shape) == 3 else None, tuple(Group(g.born, g.count, None) for g in groups))


def _merged(inputs: Sequence[Reach]) -> tuple[Group, ...]:
    """The groups of several values: each with the largest of its windows."""
    merged: dict[int, Group] = {}
    for reach in inputs:
        for group in reach.groups:
            other = merged.get(group.born, group)
            merged[group.born] = Group(group.born, max(group.count, other.count), _larger(group.extent, other.extent))
    return tuple(merged[born] for born in sorted(merged))


def _larger(one: Extent | None, other: Extent | None) -> Extent | None:
    return None if one is None or other is None else (max(one[0], other[0]), max(one[1], other[1]))


def _widened(op: Conv | ConvTranspose | MaxPool, group: Group) -> Group:
    if group.extent is None:
        return group
    kernel = op.kernel if isinstance(op, MaxPool) else (op.weight.shape[2], op.weight.shape[3])
    spans = [(size - 1) * apart for size, apart in zip(kernel, op.dilation, strict=True)]
    if isinstance(op, ConvTranspose):
        height, width = (
            (cells - 1) * step + span + 1 for cells, step, span in zip(group.extent, op.stride, spans, strict=True)
        )
    else:
        height, width = (
            (cells - 1 + span) // step + 1 for cells, step, span in zip(group.extent, op.stride, spans, strict=True)
        )
    return Group(group.born, group.count, (height, width))


def fan_out(op: Operator) -> float:
    """How many products an operator forms with each entry that it reads."""
    match op:
        case Conv():
            return op.weight.numel() / (op.weight.shape[1] * op.groups * prod(op.stride))
        case ConvTranspose() | Dense():
            return op.weight.numel() / op.weight.shape[0 if isinstance(op, ConvTranspose) else 1]
        case _:
            return 1.0
