"""Non-linear steps of zonotopes as constraints: the lines around a function, in units of its new symbol.

In the band ``y = slope . x + middle + half e``, a line ``y >= l . x + o`` says of the symbol

    e >= ((l - slope) . x + o - middle) / half.

With ``x = centre + xi + r``, ``xi = forms e``, ``|r| <= error``, that is a line over xi, lowered by what r and rounding
may change. Upper lines are alike. Where the height of the band is not far above rounding, ``e >= -1`` is all that is
said.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pyprover.domains.bands import Band, planes_of
from pyprover.domains.base import TINY, Box, gamma
from pyprover.domains.linear import RELAXATIONS
from pyprover.domains.multipliers import Fresh, Sheaf
from pyprover.domains.zonotope import Zonotope
from pyprover.graph import Operator
from pyprover.ops import Relu

_TERMS = 64
"""More than the roundings on the way of a line into the units of a symbol."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines on one side of a function at some values: slopes (lines, values, n), offsets (lines, values)."""

    slope: Tensor
    offset: Tensor

    def at(self, region: int, places: Tensor) -> Lines:
        """In one region, those of the values at flat places; from lines for a batch (lines, batch, *shape, n)."""
        slope, offset = self.slope[:, region], self.offset[:, region]
        return Lines(slope.reshape(len(slope), -1, slope.shape[-1])[:, places], offset.flatten(1)[:, places])


def lines_around(op: Operator, box: Box) -> tuple[Lines, Lines]:
    """Lines below and above the operator over a box of its input (batch, ...); of a ReLU both that are tight below."""
    planes = planes_of(RELAXATIONS[type(op)](op, box))
    assert planes is not None
    above = Lines(planes.upper_slope[None], planes.upper_offset[None])
    if not isinstance(op, Relu):
        return Lines(planes.lower_slope[None], planes.lower_offset[None]), above
    slopes = torch.stack([torch.full_like(planes.lower_slope, slope) for slope in (op.slope, 1.0)])
    return Lines(slopes, slopes.new_zeros(slopes.shape[:-1])), above


@dataclass(frozen=True, eq=False)
class Bundle:
    """The new symbols of one step in one region, from ``first`` on, and the values that they belong to.

    ``places`` (own,): of the values, flat. ``forms`` (own, n, known): generators of what each reads, along the last
    axis of its band. ``centre``, ``error`` and ``size`` of that, and the band's ``slope``, are (own, n); its
    ``middle``, ``half`` height and ``magnitude`` (own,).
    """

    first: int
    places: Tensor
    forms: Tensor
    centre: Tensor
    error: Tensor
    size: Tensor
    slope: Tensor
    middle: Tensor
    half: Tensor
    magnitude: Tensor

    @classmethod
    def of(cls, x: Zonotope, band: Band, fresh: Tensor, region: int, first: int) -> Bundle:
        """The step into a band around x, (batch, *shape, n) or (batch, *shape) for n = 1, in a region of the batch."""
        places = fresh[region].flatten().nonzero().flatten()
        width = band.slope.shape[-1]

        def vector(values: Tensor) -> Tensor:
            return values[region].reshape(-1, width)[places]

        def scalar(values: Tensor) -> Tensor:
            return values[region].flatten()[places]

        cells = (places[:, None] * width + torch.arange(width)).flatten()
        return cls(
            first,
            places,
            x.noise.forms(region, cells).reshape(len(places), width, x.noise.symbols),
            vector(x.centre),
            vector(x.error),
            vector(x.size),
            vector(band.slope),
            scalar(band.low / 2 + band.high / 2),
            scalar(band.high / 2 - band.low / 2),
            scalar(band.magnitude),
        )

    def around(self, below: Lines, above: Lines, middle: Tensor) -> tuple[Fresh, ...]:
        """The constraints of lines at the own values; ``middle`` (own, n) of their best boxes tells where to begin."""
        shift = middle - self.centre
        low, high = (self._scaled(lines, side) for lines, side in ((below, -1.0), (above, 1.0)))
        starts = _height(low, shift).argmax(0), _height(high, shift).argmin(0)
        if self.forms.shape[1] == 1:
            lower, upper = (
                Sheaf(it.slope[..., 0], it.offset, start) for it, start in zip((low, high), starts, strict=True)
            )
            return (self._fresh(self.forms[:, 0], lower, upper),)
        none = Sheaf(low.offset[:0], low.offset[:0], starts[0])
        return (
            *(self._fresh(forms, sheaf, none) for forms, sheaf in self._apart(low)),
            *(self._fresh(forms, none, sheaf) for forms, sheaf in self._apart(high)),
        )

    def _scaled(self, lines: Lines, side: float) -> Lines:
        """The lines over xi, in units of the symbol, moved outward: down for ``side`` -1, up for 1."""
        slope = lines.slope - self.slope
        offset = (slope * self.centre).sum(-1) + lines.offset - self.middle
        size = self.magnitude + self.middle.abs() + self.half + lines.offset.abs()
        size = size + ((lines.slope.abs() + self.slope.abs()) * self.size).sum(-1)
        slack = 2 * gamma(_TERMS + 2 * slope.shape[-1], slope.dtype) * size + TINY
        offset = (offset + side * ((slope.abs() * self.error).sum(-1) + slack)) / self.half
        usable = (self.half > 4 * slack) & offset.isfinite() & slope.isfinite().all(-1)
        scaled = torch.where(usable[..., None], slope / self.half[:, None], 0.0)
        return Lines(scaled, torch.where(usable, offset, side))

    def _apart(self, lines: Lines) -> list[tuple[Tensor, Sheaf]]:
        """Each line over several values as one over their combination: its forms, and the line."""
        start = torch.zeros(len(self.places), dtype=torch.int64)
        one = torch.ones_like(lines.offset[:1])
        return [
            (torch.einsum("on,ons->os", slope, self.forms), Sheaf(one, offset[None], start))
            for slope, offset in zip(lines.slope, lines.offset, strict=True)
        ]

    def _fresh(self, forms: Tensor, lower: Sheaf, upper: Sheaf) -> Fresh:
        return Fresh(self.first, forms, forms.abs().sum(1), lower, upper)


def _height(lines: Lines, shift: Tensor) -> Tensor:
    """The lines at a shift of the centre (own, n): (lines, own)."""
    return (lines.slope * shift).sum(-1) + lines.offset
