"""Windows of values that are moved, added, picked, or mapped in another way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.noise.frames import Frame, hull
from pyprover.domains.noise.window_groups import Source
from pyprover.graph import Shape
from pyprover.ops import Add, Concat, Pad


class Term(NamedTuple):
    """A term of a sum: windows, where their plane lies in that of the sum, and a factor."""

    source: Source
    channel: int = 0
    down: int = 0
    right: int = 0
    factor: int = 1

    @property
    def frame(self) -> Frame:
        """The windows in the plane of the sum."""
        frame = self.source.frame
        return replace(frame, top=frame.top + self.down, left=frame.left + self.right)


def places_in(op: Add | Concat | Pad, shapes: Sequence[Shape]) -> list[tuple[int, int, int]]:
    """Where the operands of these shapes begin in the result: channel, line, column."""
    match op:
        case Add():
            return [(0, 0, 0) for _ in shapes]
        case Pad():
            right, _, down, _, channel, _ = (*op.widths, 0, 0, 0, 0, 0, 0)[:6]
            return [(channel, down, right)]
        case Concat():
            starts = [0, *accumulate(shape[op.axis] for shape in shapes)][:-1]
            return [(start * (op.axis == 0), start * (op.axis == 1), start * (op.axis == 2)) for start in starts]


@dataclass(frozen=True, eq=False)
class Joined(Source):
    """A sum of windows of the same symbols."""

    terms: Sequence[Term]

    @classmethod
    def of(cls, terms: Sequence[Term], plane: Shape) -> Joined:
        """In this plane."""
        return cls(terms[0].source.birth, hull([term.frame for term in terms], plane), plane, terms)

    @property
    @override
    def operands(self) -> Sequence[Source]:
        return [term.source for term in self.terms]

    @override
    def cells(self, rows: Tensor) -> Tensor:
        outer = self.frame.of(rows)
        parts = [(term.source.cells(rows), term.frame.of(rows), term) for term in self.terms]
        total = parts[0][0].new_zeros(len(rows), *self.frame.size, self.plane[0])
        for cells, frame, term in parts:
            channels = slice(term.channel, term.channel + cells.shape[-1])
            flat = cells.view(-1, cells.shape[-1])
            total.view(-1, self.plane[0])[:, channels].index_add_(0, frame.within(outer), flat, alpha=term.factor)
        return total


@dataclass(frozen=True, eq=False)
class Picked(Source):
    """Of each channel, the entries at places of its plane, which need not be near each other.

    ``places`` (batch * cells of the new plane, channels). The window of a symbol holds all new cells that read it: from
    the first line that does in any column and channel to the last, and likewise across.
    """

    source: Source
    places: Tensor

    @classmethod
    def of(cls, source: Source, places: Tensor, plane: Shape) -> Picked:
        """At places (batch, channels, cells), with a result of this plane."""
        regions = source.region(torch.arange(source.regions * source.count))
        width = source.plane[2]
        read = places.view(len(places), *plane)
        frame, sides = source.frame, []
        for axis, start, extent, cells in (
            (2, frame.top, frame.size[0], read.div(width, rounding_mode="floor")),
            (3, frame.left, frame.size[1], read % width),
        ):
            others = (1, 5 - axis)
            sides.append(_readers(cells.amin(others), cells.amax(others), start, extent, regions))
        (top, height), (left, width) = sides
        table = places.int().transpose(1, 2).reshape(-1, plane[0])
        return cls(source.birth, Frame(top, left, (height, width)), plane, source, table)

    @property
    @override
    def operands(self) -> Sequence[Source]:
        return (self.source,)

    @override
    def cells(self, rows: Tensor) -> Tensor:
        inner, region = self.source.frame.of(rows), self.region(rows)
        read = self.places.index_select(0, self.frame.of(rows).on(self.plane, region))
        places = read.view(len(rows), -1, self.plane[0])
        width = self.source.plane[2]
        down = places.div(width, rounding_mode="floor") - inner.top[:, None, None]
        across = places % width - inner.left[:, None, None]
        inside = (down >= 0) & (down < inner.size[0]) & (across >= 0) & (across < inner.size[1])
        places = (down * inner.size[1] + across).where(inside, 0)
        cells = self.source.cells(rows).flatten(1, 2).gather(1, places.long())
        return cells.where(inside, 0.0).view(len(rows), *self.frame.size, self.plane[0])


def _readers(least: Tensor, most: Tensor, start: Tensor, extent: int, regions: Tensor) -> tuple[Tensor, int]:
    """The new lines that read windows: where they begin for each row, and how many at most.

    New line o of a region reads lines from ``least`` to ``most`` (batch, lines); windows begin at ``start`` (rows,).
    What no line reads begins after those that read what is before it, so that it is near windows of the same symbols.
    """
    starts = torch.arange(int(start.max()) + 1)[:, None]
    reads = (least[:, None] < starts + extent) & (most[:, None] >= starts)  # (batch, starts, lines)
    size = reads.shape[-1]
    lines = torch.arange(size, dtype=torch.int32)
    passed = (most[:, None] < starts).sum(-1, dtype=torch.int32)
    first = torch.where(reads, lines, size).amin(-1).where(reads.any(-1), passed)[regions, start]
    last = torch.where(reads, lines, -1).amax(-1)[regions, start]
    count = max(1, int((last - first).max()) + 1)
    return first.clamp(max=size - count), count


@dataclass(frozen=True, eq=False)
class Mapped(Source):
    """Windows of what a linear map makes of whole planes, a few symbols at a time; it is computed twice."""

    levels: ClassVar[int] = 2
    source: Source
    change: Callable[[Tensor], Tensor]

    @classmethod
    def of(cls, source: Source, change: Callable[[Tensor], Tensor], plane: Shape) -> Mapped:
        """``change`` takes (rows, *plane of the source) to so many rows of entries of the new plane, in its order."""
        rows = source.regions * source.count
        ends = torch.zeros(4, rows, dtype=torch.int32)
        for part in source.parts(max(prod(source.plane), prod(plane))):
            touched = (change(source.maps(part)).reshape(len(part), *plane) != 0).any(1)
            near = source.frame.of(part)
            ends[:2, part] = _ends(touched.any(2), near.top * plane[1] // source.plane[1])
            ends[2:, part] = _ends(touched.any(1), near.left * plane[2] // source.plane[2])
        size = int((ends[1] - ends[0]).max()), int((ends[3] - ends[2]).max())
        frame = Frame(ends[0].clamp(max=plane[1] - size[0]), ends[2].clamp(max=plane[2] - size[1]), size)
        return cls(source.birth, frame, plane, source, change)

    @property
    @override
    def operands(self) -> Sequence[Source]:
        return (self.source,)

    @override
    def cells(self, rows: Tensor) -> Tensor:
        channels = self.plane[0]
        maps = self.change(self.source.maps(rows)).reshape(len(rows), *self.plane)
        places = self.frame.of(rows).on(self.plane, torch.arange(len(rows)))
        cells = maps.permute(0, 2, 3, 1).reshape(-1, channels).index_select(0, places)
        return cells.view(len(rows), *self.frame.size, channels)


def _ends(touched: Tensor, near: Tensor) -> Tensor:
    """The first and one past the last that is touched (rows, cells); where none is, a cell ``near``: (2, rows)."""
    size = touched.shape[1]
    cells = torch.arange(size, dtype=torch.int32)
    some = touched.any(1)
    first = torch.where(touched, cells, size).amin(1).where(some, near)
    last = torch.where(touched, cells, -1).amax(1).where(some, near)
    return torch.stack([first, last + 1])
