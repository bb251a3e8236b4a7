"""How far noise symbols reach, without numbers: what storages need to hold can be told from it before it is held.

Symbols that appear at one value are a group. On a map (channels, height, width) each symbol of a group reaches a window
of positions, in all channels; a convolution widens the window as it does a receptive field. What is no longer a map is
reached as a whole. There are two sizes of a window: its *extent*, as large as positions allow, those cut by the border
included, and its *spans*, cut by the border, as if symbols were born all over the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pyprover.graph import Operator, Shape
from pyprover.ops import Add, Concat, Conv, ConvTranspose, Dense, Gather, MaxPool, Pad, Reshape, Scale

Extent: TypeAlias = tuple[int, int]
"""Height and width of a window."""


class Activity(NamedTuple):
    """What a step does to the noise of a region.

    ``fresh``: how many symbols appear. ``alive``: the part of the entries that still move, where a ReLU has switched
    others off.
    """

    fresh: int = 0
    alive: float = 1.0


@dataclass(frozen=True, eq=False)
class Span:
    """Along an axis of a map, the first and the last position that a symbol reaches, by the position of its birth."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @classmethod
    def at(cls, size: int) -> Span:
        """Of symbols that appear at each of so many positions."""
        return cls(np.arange(size), np.arange(size))

    @cached_property
    def mean(self) -> float:
        """How many positions a symbol reaches, on average."""
        return float(np.maximum(self.last - self.first + 1, 0).mean())

    def within(self, first: NDArray[np.int64], last: NDArray[np.int64], size: int) -> Span:
        """Other positions, as far as they are on a map of this size."""
        return Span(np.maximum(first, 0), np.minimum(last, size - 1))

    def __or__(self, other: Span) -> Span:
        return Span(np.minimum(self.first, other.first), np.maximum(self.last, other.last))


Spans: TypeAlias = tuple[Span, Span]
"""Down and across."""


@dataclass(frozen=True)
class Window:
    """What a symbol reaches of a map: at most, and by the place of its birth."""

    extent: Extent
    spans: Spans

    def __or__(self, other: Window) -> Window:
        extent = (max(self.extent[0], other.extent[0]), max(self.extent[1], other.extent[1]))
        return Window(extent, (self.spans[0] | other.spans[0], self.spans[1] | other.spans[1]))


@dataclass(frozen=True)
class Group:
    """``count`` symbols that appeared at the value ``born``, and how far they reach; ``None``: everywhere."""

    born: int
    count: int
    window: Window | None


@dataclass(frozen=True)
class Reach:
    """What the symbols of one region reach of a value; ``plane``: the map that the value is or was flattened from.

    ``alive``: the part of the entries that are moved at all; the others are what ReLUs switched off.
    """

    shape: Shape
    plane: Shape | None
    groups: tuple[Group, ...]
    alive: float = 1.0

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
        """How many coefficients there are inside the windows, as large as they can be."""
        return sum(group.count * self.cells_of(group) for group in self.groups)

    @cached_property
    def nonzero(self) -> int:
        """How many coefficients are not zero, about."""
        return int(self.alive * sum(group.count * self._touched(group) for group in self.groups))

    @property
    def windowed(self) -> bool:
        """Whether some symbols are known to reach a window only."""
        return any(group.window is not None for group in self.groups)

    def cells_of(self, group: Group) -> int:
        """How many coefficients each symbol of a group has."""
        if group.window is None or self.plane is None:
            return self.values
        channels, height, width = self.plane
        return channels * min(group.window.extent[0], height) * min(group.window.extent[1], width)

    def _touched(self, group: Group) -> float:
        if group.window is None or self.plane is None:
            return self.values
        down, across = group.window.spans
        return self.plane[0] * down.mean * across.mean

    def after(self, activity: Activity, born: int) -> Reach:
        """Where part of the entries stays alive, and with new symbols, of one entry each."""
        count = activity.fresh
        window = None if self.plane is None else Window((1, 1), (Span.at(self.plane[1]), Span.at(self.plane[2])))
        groups = (*self.groups, Group(born, count, window)) if count else self.groups
        return replace(self, groups=groups, alive=self.alive * activity.alive)


def reach_of_input(shape: Shape, free: int) -> Reach:
    """The input, of which so many entries are free."""
    return Reach(shape, shape if len(shape) == 3 else None, ()).after(Activity(free), 0)


def through(op: Operator, inputs: Sequence[Reach], shape: Shape) -> Reach:
    """The reach under an operator, before it adds symbols of its own; ``shape`` is its result's."""
    x = inputs[0]
    groups = _merged(inputs)
    if isinstance(op, Conv | ConvTranspose | MaxPool):
        return Reach(shape, shape, tuple(_widened(op, group, shape) for group in groups))
    flattened = isinstance(op, Reshape) and prod(shape) == max(shape, default=1)
    if flattened or ((isinstance(op, Scale | Add) or not op.linear) and shape == x.shape):
        return Reach(shape, x.plane, groups, 1 - prod(1 - reach.alive for reach in inputs))
    along_channels = isinstance(op, Concat | Gather) and op.axis == 0
    if len(shape) == 3 and along_channels:
        return Reach(shape, shape, groups)
    if len(shape) == 3 and isinstance(op, Pad):
        return Reach(shape, shape, tuple(_moved(op, group, shape) for group in groups))
    return Reach(shape, shape if len(shape) == 3 else None, tuple(Group(g.born, g.count, None) for g in groups))


def _merged(inputs: Sequence[Reach]) -> tuple[Group, ...]:
    """The groups of several values: each with the larger of its windows."""
    merged: dict[int, Group] = {}
    for reach in inputs:
        for group in reach.groups:
            other = merged.get(group.born, group)
            whole = group.window is None or other.window is None
            window = None if whole else group.window | other.window  # type: ignore[operator]  # both are there
            merged[group.born] = Group(group.born, max(group.count, other.count), window)
    return tuple(merged[born] for born in sorted(merged))


def _widened(op: Conv | ConvTranspose | MaxPool, group: Group, shape: Shape) -> Group:
    if group.window is None:
        return group
    kernel = op.kernel if isinstance(op, MaxPool) else (op.weight.shape[2], op.weight.shape[3])
    extents, spans = [], []
    for axis, (size, apart, step, pad) in enumerate(zip(kernel, op.dilation, op.stride, op.padding, strict=True)):
        extent, span, far = group.window.extent[axis], group.window.spans[axis], (size - 1) * apart
        if isinstance(op, ConvTranspose):
            extents.append((extent - 1) * step + far + 1)
            first, last = span.first * step - pad, span.last * step - pad + far
        else:
            extents.append((extent - 1 + far) // step + 1)
            first, last = -((far - pad - span.first) // step), (span.last + pad) // step
        spans.append(span.within(first, last, shape[1 + axis]))
    return replace(group, window=Window((extents[0], extents[1]), (spans[0], spans[1])))


def _moved(op: Pad, group: Group, shape: Shape) -> Group:
    """Under zeros around a map; widths are (left, right, top, bottom)."""
    if group.window is None:
        return group
    left, _, top, _ = (*op.widths, 0, 0, 0, 0)[:4]
    down, across = (
        span.within(span.first + before, span.last + before, size)
        for span, before, size in zip(group.window.spans, (top, left), shape[1:], strict=True)
    )
    return replace(group, window=Window(group.window.extent, (down, across)))


def fan_out(op: Operator) -> float:
    """How many products an operator forms with each entry that it reads."""
    match op:
        case Conv():
            return op.weight.numel() / (op.weight.shape[1] * op.groups * prod(op.stride))
        case ConvTranspose() | Dense():
            return op.weight.numel() / op.weight.shape[0 if isinstance(op, ConvTranspose) else 1]
        case _:
            return 1.0
