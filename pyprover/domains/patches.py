"""Patches: a form about a few neighbouring neurons touches only a part of the maps that convolutions read.

Xu et al., *Automatic perturbation analysis for scalable certified robustness and beyond*, arXiv 2002.12920, have
patches in which each row has a place of its own. Here the rows of a block share one rectangle, cut off at the border
of the map: what is known of a region is then sliced, not gathered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from torch import Tensor

from pyprover.graph import Shape

Pair = tuple[int, int]


@dataclass(frozen=True)
class Crop:
    """The cells of a map (channels, height, width) from ``start`` to before ``stop``, along height and width."""

    start: Pair
    stop: Pair

    @classmethod
    def whole(cls, shape: Shape) -> Self:
        """All of a map."""
        return cls((0, 0), (shape[1], shape[2]))

    @property
    def size(self) -> Pair:
        """Height and width."""
        return self.stop[0] - self.start[0], self.stop[1] - self.start[1]

    def of(self, values: Tensor) -> Tensor:
        """The part of values (..., height, width) inside, as a view."""
        return values[..., self.start[0] : self.stop[0], self.start[1] : self.stop[1]]

    def joined(self, other: Crop) -> Crop:
        """The least rectangle that contains both."""
        start = min(self.start[0], other.start[0]), min(self.start[1], other.start[1])
        return Crop(start, (max(self.stop[0], other.stop[0]), max(self.stop[1], other.stop[1])))

    def within(self, outer: Crop) -> Crop:
        """The same cells, counted from the start of a rectangle that contains them."""
        top, left = outer.start
        return Crop((self.start[0] - top, self.start[1] - left), (self.stop[0] - top, self.stop[1] - left))


@dataclass(frozen=True, eq=False)
class Patch:
    """Coefficients of forms over a value: (rows, *shape), or (rows, channels, *crop.size) of a map, 0 elsewhere."""

    coef: Tensor
    crop: Crop | None = None

    def whole(self, shape: Shape) -> Tensor:
        """The coefficients over the whole value: (rows, *shape)."""
        return self.coef if self.crop is None else self._over(Crop.whole(shape))

    def plus(self, other: Patch, shape: Shape) -> Patch:
        """The sum of forms over one value of this shape."""
        if self.crop == other.crop:
            return Patch(self.coef + other.coef, self.crop)
        if self.crop is None or other.crop is None:
            return Patch(self.whole(shape) + other.whole(shape))
        crop = self.crop.joined(other.crop)
        return Patch(self._over(crop) + other._over(crop), crop)

    def _over(self, crop: Crop) -> Tensor:
        """The coefficients over a rectangle that contains this one."""
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
