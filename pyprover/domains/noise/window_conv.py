"""Convolutions of windows: only the cells that a symbol reaches are multiplied, and no map is formed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.noise.frames import Frame, Pair
from pyprover.domains.noise.window_groups import CHUNK, Source
from pyprover.graph import Shape
from pyprover.ops import Conv


@dataclass(frozen=True)
class Line:
    """One axis of a convolution: output o reads input ``stride o - padding + dilation u`` by tap u of the kernel."""

    size: int
    kernel: int
    stride: int
    padding: int
    dilation: int

    def reached(self, start: Tensor, extent: int) -> tuple[Tensor, int]:
        """The outputs that read windows from ``start`` (rows,): where they begin, and how many at most.

        They lie inside the result; where a row reaches fewer, others are zero.
        """
        beyond = self.dilation * (self.kernel - 1)
        first = (start + (self.padding - beyond + self.stride - 1)).div(self.stride, rounding_mode="floor").clamp(min=0)
        last = (start + (extent - 1 + self.padding)).div(self.stride, rounding_mode="floor").clamp(max=self.size - 1)
        count = max(1, int((last - first).max()) + 1)
        return first.clamp(max=self.size - count), count

    def tap(self, number: int, shift: int, extent: int, count: int) -> tuple[slice, slice]:
        """Which cells of a window the tap reads, and to which of its outputs it adds them.

        ``shift`` is where the window starts, counted from what the first tap of the first output reads.
        """
        apart = self.dilation * number - shift  # cell r and output i belong together where r = stride i + apart
        first = max(0, -(apart // self.stride))
        last = min(count - 1, (extent - 1 - apart) // self.stride)
        if last < first:
            return slice(0), slice(0)
        start = self.stride * first + apart
        return slice(start, self.stride * last + apart + 1, self.stride), slice(first, last + 1)


def lines_of(op: Conv, plane: Shape) -> tuple[Line, Line]:
    """Both axes of a convolution whose result has this plane."""
    down, across = (
        Line(*axis) for axis in zip(plane[1:], op.weight.shape[2:], op.stride, op.padding, op.dilation, strict=True)
    )
    return down, across


def taps_of(op: Conv) -> Tensor:
    """The weights of each tap, channels last: (height, width, in, out) or (height, width, groups, in, out)."""
    out, ins, height, width = op.weight.shape
    if op.groups == 1:
        return op.weight.permute(2, 3, 1, 0).contiguous()
    return op.weight.view(op.groups, out // op.groups, ins, height, width).permute(3, 4, 0, 2, 1).contiguous()


@dataclass(frozen=True, eq=False)
class Convolved(Source):
    """The windows of a group under a convolution, whose ``taps`` are those of `taps_of`.

    ``shifts``: those of `Line.tap`, down and across, that rows have; ``kinds`` (rows,) says which of them each row has.
    """

    levels: ClassVar[int] = 1
    source: Source
    op: Conv
    taps: Tensor
    shifts: Sequence[Pair]
    kinds: Tensor

    @classmethod
    def of(cls, source: Source, op: Conv, taps: Tensor, plane: Shape) -> Convolved:
        """With a result of this plane."""
        frame = source.frame
        down, across = lines_of(op, plane)
        top, height = down.reached(frame.top, frame.size[0])
        left, width = across.reached(frame.left, frame.size[1])
        shifts = torch.stack(
            [frame.top + down.padding - down.stride * top, frame.left + across.padding - across.stride * left], 1
        )
        found, kinds = torch.unique(shifts, dim=0, return_inverse=True)
        pairs = [(a, b) for a, b in found.tolist()]
        return cls(source.birth, Frame(top, left, (height, width)), plane, source, op, taps, pairs, kinds)

    @property
    @override
    def operands(self) -> Sequence[Source]:
        return (self.source,)

    @override
    def parts(self, row_size: int = 0, least: int = 1) -> Iterator[Tensor]:
        """Rows of one shift at a time."""
        at_once = max(least, CHUNK // max(self.row_size, self.source.row_size, row_size))
        for kind in range(len(self.shifts)):
            yield from torch.split((self.kinds == kind).nonzero().squeeze(1), at_once)

    @override
    def cells(self, rows: Tensor) -> Tensor:
        kinds = self.kinds[rows]
        found = torch.unique(kinds).tolist()
        if len(found) == 1:
            return self._alike(rows, self.shifts[found[0]])
        result = self.op.weight.new_empty(len(rows), *self.frame.size, self.plane[0])
        for kind in found:
            chosen = kinds == kind
            result[chosen] = self._alike(rows[chosen], self.shifts[kind])
        return result

    def _alike(self, rows: Tensor, shift: Pair) -> Tensor:
        """The cells of rows whose windows have one shift: tap by tap, what it reads times its weights is added."""
        cells = self.source.cells(rows)
        result = cells.new_zeros(len(rows), *self.frame.size, self.plane[0])
        down, across = lines_of(self.op, self.plane)
        for u in range(down.kernel):
            lines, to_lines = down.tap(u, shift[0], cells.shape[1], result.shape[1])
            for v in range(across.kernel):
                columns, to_columns = across.tap(v, shift[1], cells.shape[2], result.shape[2])
                if lines.stop and columns.stop:
                    result[:, to_lines, to_columns] += self._product(cells[:, lines, columns], u, v)
        return result

    def _product(self, cells: Tensor, u: int, v: int) -> Tensor:
        weight = self.taps[u, v]
        if self.op.groups == 1:
            return cells @ weight
        groups, ins, outs = weight.shape
        if ins == outs == 1:
            return cells * weight.flatten()
        return torch.einsum("...gi,gio->...go", cells.reshape(*cells.shape[:-1], groups, ins), weight).flatten(-2)
