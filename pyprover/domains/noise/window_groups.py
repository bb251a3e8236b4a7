"""Groups of windows: symbols that came together, in memory or computed when they are read.

Rows are the symbols of a group over all regions: row ``region * count + k``. Cells are read (rows, height, width,
channels), channels innermost: a tap of a convolution is then one product of matrices, and rows are summed or scaled by
runs of channels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.noise.frames import Frame
from pyprover.graph import Shape

CHUNK = 1 << 17
"""Numbers that are worked on at once; they should stay in the cache of a core."""


@dataclass(frozen=True, eq=False)
class Birth:
    """Symbols that came together: ``numbers`` (batch, count) are theirs, from ``first`` on, in the order of rows."""

    first: int
    numbers: Tensor

    def same(self, other: Birth) -> bool:
        """Whether the rows of both are the same symbols."""
        return self.numbers is other.numbers or torch.equal(self.numbers, other.numbers)


@dataclass(frozen=True, eq=False)
class Source(ABC):
    """The windows of a group, in memory or not: cells are read a few rows at a time."""

    birth: Birth
    frame: Frame
    plane: Shape

    @abstractmethod
    def cells(self, rows: Tensor) -> Tensor:
        """What the windows of some rows, ascending, hold: (rows, height, width, channels), the caller's own tensor."""

    @property
    @abstractmethod
    def operands(self) -> Sequence[Source]:
        """What cells are computed from."""

    levels: ClassVar[int] = 0
    """How many of `depth` are this one's."""

    @cached_property
    def depth(self) -> int:
        """How many costly operators are computed, one after the other, to read a cell."""
        return self.levels + max((operand.depth for operand in self.operands), default=0)

    def leaves(self) -> set[Held]:
        """What is in memory, of all that cells are computed from."""
        return set().union(*(operand.leaves() for operand in self.operands))

    @property
    def size(self) -> int:
        """How many cells there are, of all rows."""
        return self.regions * self.count * self.row_size

    @property
    def regions(self) -> int:
        """How many regions the batch has."""
        return len(self.birth.numbers)

    @property
    def count(self) -> int:
        """How many symbols each region has in the group."""
        return self.birth.numbers.shape[1]

    @property
    def row_size(self) -> int:
        """How many numbers a row has."""
        return self.frame.size[0] * self.frame.size[1] * self.plane[0]

    def parts(self, row_size: int = 0, least: int = 1) -> Iterator[Tensor]:
        """All rows, so many at a time that they have ``CHUNK`` numbers, at ``row_size`` or more each; or ``least``."""
        rows = torch.arange(self.regions * self.count)
        yield from torch.split(rows, max(least, CHUNK // max(self.row_size, row_size)))

    def region(self, rows: Tensor) -> Tensor:
        """The region of each row."""
        return rows // self.count

    def at(self, region: int, entries: Tensor) -> Tensor:
        """What the symbols of a region hold at entries, flat places in the plane: (entries, count)."""
        _, height, width = self.plane
        channel, place = entries.div(height * width, rounding_mode="floor"), entries % (height * width)
        line, column = place.div(width, rounding_mode="floor"), place % width
        parts = []
        of_region = torch.arange(region * self.count, (region + 1) * self.count)
        for rows in torch.split(of_region, max(1, CHUNK // self.row_size)):
            frame, cells = self.frame.of(rows), self.cells(rows)
            down, right = line[:, None] - frame.top, column[:, None] - frame.left
            inside = (down >= 0) & (down < frame.size[0]) & (right >= 0) & (right < frame.size[1])
            index = torch.arange(len(rows)), down.where(inside, 0), right.where(inside, 0), channel[:, None]
            parts.append(cells[index].where(inside, 0.0))
        return torch.cat(parts, 1)

    def crop(self, rows: Tensor) -> tuple[slice, slice, Tensor]:
        """The lines and columns that some rows reach, and what they hold there: (rows, channels, lines, columns)."""
        frame, cells = self.frame.of(rows), self.cells(rows)
        corners, ends = [], []
        for start, extent in zip((frame.top, frame.left), frame.size, strict=True):
            corners.append(torch.full_like(start, int(start.min())))
            ends.append(int(start.max()) + extent)
        (top, left), (bottom, right) = (int(corner[0]) for corner in corners), ends
        whole = Frame(corners[0], corners[1], (bottom - top, right - left))
        spread = cells.new_zeros(len(rows), *whole.size, cells.shape[-1])
        spread.view(-1, cells.shape[-1]).index_copy_(0, frame.within(whole), cells.reshape(-1, cells.shape[-1]))
        return slice(top, bottom), slice(left, right), spread.permute(0, 3, 1, 2)

    def maps(self, rows: Tensor) -> Tensor:
        """Of some rows, the whole plane: (rows, channels, height, width)."""
        lines, columns, cells = self.crop(rows)
        maps = cells.new_zeros(len(rows), *self.plane)
        maps[:, :, lines, columns] = cells
        return maps


@dataclass(frozen=True, eq=False)
class Held(Source):
    """Cells in memory: ``tensor`` (rows, height, width, channels)."""

    tensor: Tensor

    @property
    @override
    def operands(self) -> Sequence[Source]:
        return ()

    @override
    def leaves(self) -> set[Held]:
        return {self}

    @override
    def cells(self, rows: Tensor) -> Tensor:
        return self.tensor[rows]

    @property
    def bytes(self) -> int:
        """What they take in memory, with the corners and the numbers."""
        return sum(t.nbytes for t in (self.tensor, self.frame.top, self.frame.left, self.birth.numbers))


@dataclass(frozen=True, eq=False)
class Group(Source):
    """The windows of a value: cells of a source, multiplied by ``slope`` when they are read.

    So a non-linear layer writes no cell again. ``slope`` and ``radius``, the sums of absolute cells after it, are
    (batch, height, width, channels) of the plane; no slope stands for 1, no radius for one that is not known yet.
    """

    source: Source
    radius: Tensor | None
    slope: Tensor | None = None

    @property
    @override
    def operands(self) -> Sequence[Source]:
        return (self.source,)

    @override
    def cells(self, rows: Tensor) -> Tensor:
        cells = self.source.cells(rows)
        if self.slope is None:
            return cells
        places = self.frame.of(rows).on(self.plane, self.region(rows))
        return cells.mul_(self.slope.view(-1, self.plane[0]).index_select(0, places).view_as(cells))

    def with_slope(self, slope: Tensor, factor: Tensor) -> Group:
        """With another slope, which is the present one times a factor."""
        return replace(self, radius=None if self.radius is None else self.radius * factor.abs(), slope=slope)

    def add_to(self, total: Tensor) -> None:
        """Add the radius to a total."""
        if self.radius is not None:
            total += self.radius
        else:
            for rows in self.parts():
                add_radius(total, self, rows, self.cells(rows))


def is_light(source: Source, depth: int) -> bool:
    """Whether to compute cells each time they are read: by ``depth`` costly operators at most, and from fewer cells."""
    return source.depth <= depth and source.size > sum(leaf.size for leaf in source.leaves())


def group_of(source: Source, like: Tensor, depth: int) -> Group:
    """A source as a group, in the type of a tensor: held in memory unless it `is_light`.

    Cells that are computed anew may differ by the rounding of their sums: each time they have the errors that those of
    a value account for.
    """
    channels, height, width = source.plane
    radius = like.new_zeros(source.regions, height, width, channels)
    rows = source.regions * source.count
    tensor = None if is_light(source, depth) else like.new_empty(rows, *source.frame.size, channels)
    for part in source.parts():
        cells = source.cells(part)
        if tensor is not None:
            tensor[part] = cells
        add_radius(radius, source, part, cells)
    kept = source if tensor is None else Held(source.birth, source.frame, source.plane, tensor)
    return Group(source.birth, source.frame, source.plane, kept, radius)


def add_radius(total: Tensor, source: Source, rows: Tensor, cells: Tensor) -> None:
    """Add the absolute cells of some rows to a total (batch, height, width, channels); the cells are spent."""
    places = source.frame.of(rows).on(source.plane, source.region(rows))
    total.view(-1, source.plane[0]).index_add_(0, places, cells.abs_().view(-1, source.plane[0]))


def born(first: int, radius: Tensor, fresh: Tensor) -> Group:
    """A symbol for each entry where ``fresh`` holds, numbered from ``first`` in the order of the entries.

    ``radius`` and ``fresh`` are (batch, channels, height, width). Rows are in the order of lines and columns, so that
    those that are handled together lie near each other. Where a region has fewer symbols than another, its last rows
    stand for symbols that move nothing.
    """
    batch, channels, height, width = fresh.shape
    count = int(fresh.flatten(1).sum(1).max())
    region, line, column, channel = fresh.permute(0, 2, 3, 1).nonzero(as_tuple=True)
    places = (region, channel, line, column)
    counts = torch.bincount(region, minlength=batch)
    row = torch.arange(len(region)) - (counts.cumsum(0) - counts)[region] + region * count
    order = (fresh.flatten(1).cumsum(1) - 1).view_as(fresh)[places]
    numbers = torch.arange(first, first + count, dtype=torch.int32).repeat(batch)
    numbers[row] = first + order.int()
    top, left = torch.zeros(2, batch * count, dtype=torch.int32)
    top[row], left[row] = line.int(), column.int()
    held = radius.new_zeros(batch * count, 1, 1, channels)
    held[row, 0, 0, channel] = radius[places]
    total = radius.abs().where(fresh, 0.0).permute(0, 2, 3, 1).contiguous()
    birth, frame = Birth(first, numbers.view(batch, count)), Frame(top, left, (1, 1))
    source = Held(birth, frame, (channels, height, width), held)
    return Group(birth, frame, source.plane, source, total)
