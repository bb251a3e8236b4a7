"""Patches: a form about a few neighbouring neurons touches only a part of the maps that convolutions read.

Either the rows of a block share one rectangle, cut off at the border of the map, so that what is known of a region is
sliced; or, where the rectangles are small, each row has a place of its own (Xu et al., *Automatic perturbation
analysis for scalable certified robustness and beyond*, arXiv 2002.12920), and what is known is gathered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.graph import Shape

Pair = tuple[int, int]


class Part(ABC):
    """The cells of a map that the rows of a patch touch."""

    @abstractmethod
    def of(self, values: Tensor) -> Tensor:
        """What is known of them, from what is known of a batch of maps (batch, channels, height, width).

        It is (batch, channels, *size) when rows share their cells, (rows, channels, *size) when they do not.
        """


@dataclass(frozen=True)
class Crop(Part):
    """The cells from ``start`` to before ``stop``, along height and width."""

    start: Pair
    stop: Pair

    @classmethod
    def whole(cls, shape: Shape) -> Self:
        """All of a map of this shape."""
        return cls((0, 0), (shape[1], shape[2]))

    @property
    def size(self) -> Pair:
        """Height and width."""
        return self.stop[0] - self.start[0], self.stop[1] - self.start[1]

    @override
    def of(self, values: Tensor) -> Tensor:
        return values[..., self.start[0] : self.stop[0], self.start[1] : self.stop[1]]

    def joined(self, other: Crop) -> Crop:
        """The least rectangle that contains both."""
        start = min(self.start[0], other.start[0]), min(self.start[1], other.start[1])
        return Crop(start, (max(self.stop[0], other.stop[0]), max(self.stop[1], other.stop[1])))

    def within(self, outer: Crop) -> Crop:
        """The same cells, counted from the start of a rectangle that contains them."""
        top, left = outer.start
        return Crop((self.start[0] - top, self.start[1] - left), (self.stop[0] - top, self.stop[1] - left))

    def clipped(self, shape: Shape) -> Crop:
        """What lies in a map of this shape; one of its cells when nothing does."""
        top, left = (min(max(at, 0), size - 1) for at, size in zip(self.start, shape[1:], strict=True))
        bottom, right = (min(at, size) for at, size in zip(self.stop, shape[1:], strict=True))
        return Crop((top, left), (max(bottom, top + 1), max(right, left + 1)))


@dataclass(frozen=True, eq=False)
class Cells(Part):
    """Cells of each row on their own: flat places in a batch of maps, (channels, *size, rows)."""

    index: Tensor

    @override
    def of(self, values: Tensor) -> Tensor:
        found = values.reshape(-1).index_select(0, self.index.flatten())
        return found.reshape(self.index.shape).movedim(-1, 0)


@dataclass(frozen=True, eq=False)
class Anchors:
    """From where the crop of each row counts: ``stride`` times its cell ``down`` and ``across``, each (rows,).

    ``sample`` (rows,) names the regions of the rows.
    """

    sample: Tensor
    down: Tensor
    across: Tensor
    stride: Pair = (1, 1)

    def through(self, stride: Pair) -> Anchors:
        """The same places on the map that a convolution of this stride reads."""
        return Anchors(self.sample, self.down, self.across, (self.stride[0] * stride[0], self.stride[1] * stride[1]))

    def cells(self, crop: Crop, shape: Shape) -> tuple[Tensor, Tensor]:
        """Flat places in a map (height, width), the nearest for cells outside; and whether inside: (*size, rows)."""
        along = []
        for axis, anchor in enumerate((self.down, self.across)):
            at = torch.arange(crop.start[axis], crop.stop[axis])[:, None] + anchor * self.stride[axis]
            along.append((at.clamp(0, shape[1 + axis] - 1), (at >= 0) & (at < shape[1 + axis])))
        (down, in_height), (across, in_width) = along
        return down[:, None] * shape[2] + across, in_height[:, None] & in_width

    def part(self, crop: Crop, shape: Shape) -> Cells:
        """The cells of a batch of maps of this shape."""
        channels, height, width = shape
        plane, _ = self.cells(crop, shape)
        first = (torch.arange(channels)[:, None] + self.sample * channels) * (height * width)
        return Cells(first[:, None, None] + plane)


@dataclass(frozen=True, eq=False)
class Patch:
    """Coefficients of forms over a value: of all of it, (rows, *shape), or of a crop, (rows, channels, *crop.size).

    They are 0 outside the crop, which counts from the map's corner or, with anchors, from each row's own; and 0 in
    those cells of the crop that lie outside the map.
    """

    coef: Tensor
    crop: Crop | None = None
    anchors: Anchors | None = None

    def part(self, shape: Shape) -> Part | None:
        """The cells of maps of this shape that are touched; ``None`` when that is the whole."""
        return self.crop if self.crop is None or self.anchors is None else self.anchors.part(self.crop, shape)

    def of_parameter(self, values: Tensor) -> Tensor:
        """What is touched of a parameter that all regions share, (*shape): (1 or rows, *shape or channels, *size)."""
        if self.anchors is None or self.crop is None:
            return (values if self.crop is None else self.crop.of(values))[None]
        one = replace(self.anchors, sample=torch.zeros_like(self.anchors.sample))
        return one.part(self.crop, tuple(values.shape)).of(values[None])

    def with_coef(self, coef: Tensor) -> Patch:
        """Other coefficients of the same cells."""
        return Patch(coef, self.crop, self.anchors)

    def masked(self, shape: Shape) -> Patch:
        """With 0 outside the map, of this shape."""
        if self.crop is None or self.anchors is None:
            return self
        _, inside = self.anchors.cells(self.crop, shape)
        return self.with_coef(self.coef * inside.movedim(-1, 0)[:, None])

    def whole(self, shape: Shape) -> Tensor:
        """The coefficients over the whole value: (rows, *shape)."""
        if self.crop is None or self.anchors is None:
            return self._over(Crop.whole(shape)) if self.crop is not None else self.coef
        plane, _ = self.anchors.cells(self.crop, shape)
        rows = len(self.coef)
        spread = self.coef.new_zeros(shape[0], shape[1] * shape[2] * rows)
        index = (plane * rows + torch.arange(rows)).flatten()
        spread.index_add_(1, index, self.coef.movedim(0, -1).reshape(shape[0], -1))
        return spread.reshape(*shape, rows).movedim(-1, 0)

    def plus(self, other: Patch, shape: Shape) -> Patch:
        """The sum of forms over one value of this shape."""
        if self.crop is None or other.crop is None or not self._beside(other):
            return Patch(self.whole(shape) + other.whole(shape))
        if self.crop == other.crop:
            return self.with_coef(self.coef + other.coef)
        crop = self.crop.joined(other.crop)
        return Patch(self._over(crop) + other._over(crop), crop, self.anchors)

    def _beside(self, other: Patch) -> bool:
        """Whether crops count from the same places; anchors of one block differ in their strides only."""
        if self.anchors is None or other.anchors is None:
            return self.anchors is other.anchors
        return self.anchors.stride == other.anchors.stride

    def _over(self, crop: Crop) -> Tensor:
        """The coefficients over a crop that contains this one."""
        if self.crop is None or self.crop == crop:
            return self.coef
        spread = blank(self.coef, (self.coef.shape[1], *crop.size))
        self.crop.within(crop).of(spread).copy_(self.coef)
        return spread


def has_rows_last(coef: Tensor) -> bool:
    """Whether several rows (rows, *shape) are the innermost axis in memory.

    A block of rows about one region is best laid out so: it is one large matrix for convolutions and dense layers, and
    what is known of the region is one number for each run of rows.
    """
    return len(coef) > 1 and coef.stride(0) == 1


def blank(like: Tensor, shape: Shape) -> Tensor:
    """Zeros (rows, *shape) with as many rows as other coefficients, laid out as they are."""
    rows = len(like)
    return like.new_zeros(*shape, rows).movedim(-1, 0) if has_rows_last(like) else like.new_zeros(rows, *shape)
