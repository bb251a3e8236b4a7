"""Windows of a plane, as rectangles.

A value has a plane (channels, height, width). Of each symbol a rectangle of cells is known, with all channels; outside
it the symbol moves nothing. Rectangles of a group have one size, fit into the plane, and have a corner of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from pyprover.graph import Shape

Pair = tuple[int, int]


def plane_of(shape: Shape) -> Shape:
    """The plane (channels, height, width) whose entries in row-major order are those of a shape."""
    if len(shape) < 3:
        channels, width = (1, 1, *shape)[-2:]
        return channels, 1, width
    return shape[0], shape[1], prod(shape[2:])


@dataclass(frozen=True, eq=False)
class Frame:
    """The corners ``top`` and ``left`` (rows,) of windows, integers, and their common height and width."""

    top: Tensor
    left: Tensor
    size: Pair

    def of(self, rows: Tensor) -> Frame:
        """The windows of some rows."""
        return Frame(self.top[rows], self.left[rows], self.size)

    def within(self, outer: Frame) -> Tensor:
        """Places of the windows' cells among those of windows that contain them: (rows * height * width,)."""
        height, width = outer.size
        start = torch.arange(len(self.top)) * (height * width)
        return self._places(start, self.top - outer.top, self.left - outer.left, width)

    def on(self, plane: Shape, regions: Tensor) -> Tensor:
        """Places of the windows' cells in the planes of a batch: (rows * height * width,)."""
        return self._places(regions * (plane[1] * plane[2]), self.top, self.left, plane[2])

    def _places(self, start: Tensor, top: Tensor, left: Tensor, pitch: int) -> Tensor:
        down = start[:, None] + (top[:, None] + torch.arange(self.size[0])) * pitch
        across = left[:, None] + torch.arange(self.size[1])
        return (down[:, :, None] + across[:, None, :]).flatten()


def hull(frames: Sequence[Frame], plane: Shape) -> Frame:
    """For each row the least window that contains all, of the least size that fits all rows, inside the plane."""

    def along(starts: list[Tensor], extents: list[int], room: int) -> tuple[Tensor, int]:
        first, last = starts[0], starts[0] + extents[0]
        for start, extent in zip(starts[1:], extents[1:], strict=True):
            first, last = torch.minimum(first, start), torch.maximum(last, start + extent)
        extent = int((last - first).max())
        return first.clamp(max=room - extent), extent

    top, height = along([f.top for f in frames], [f.size[0] for f in frames], plane[1])
    left, width = along([f.left for f in frames], [f.size[1] for f in frames], plane[2])
    return Frame(top, left, (height, width))
