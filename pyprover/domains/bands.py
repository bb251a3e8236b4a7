"""Bands: a non-linear function between two planes of one slope, which a single new symbol spans."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pyprover.domains import interval
from pyprover.domains.base import Box
from pyprover.domains.linear import RELAXATIONS
from pyprover.domains.planes import Planes
from pyprover.domains.relaxation import Lines, Relaxation
from pyprover.graph import Operator
from pyprover.ops import Relu

_CLEARLY = 1 - 1e-9
"""Heights differ when their ratio is below. Planes often touch at opposite corners, and rounding is not to choose."""


@dataclass(frozen=True, eq=False)
class Band:
    """``slope . x + low <= y <= slope . x + high`` along the last axis of x, up to rounding of ``magnitude``.

    ``slope`` is (batch, *shape, n), the others (batch, *shape).
    """

    slope: Tensor
    low: Tensor
    high: Tensor
    magnitude: Tensor

    def or_interval(self, op: Operator, box: Box) -> Band:
        """The interval of the operator's result where that is narrower, or where the band is not finite."""
        flat = interval.step(op, (box,))
        keep = self.high - self.low <= flat.upper - flat.lower
        return Band(
            torch.where(keep.unsqueeze(-1), self.slope, 0.0),
            torch.where(keep, self.low, flat.lower),
            torch.where(keep, self.high, flat.upper),
            torch.where(keep, self.magnitude, flat.size),
        )


def band_of(op: Operator, box: Box) -> Band | None:
    """A band of the operator over the box of its input; ``None`` when the linear domain has no planes for it.

    Its planes are parallel to one of those of the linear domain; for a ReLU, to the chord (the band of least area:
    DeepZ, theorem 3.1).
    """
    planes = planes_of(RELAXATIONS[type(op)](op, box))
    if planes is None:
        return None
    if isinstance(op, Relu):
        nothing = torch.zeros_like(planes.upper_offset)
        planes = replace(planes, lower_slope=planes.upper_slope, lower_offset=nothing)
    return _around(planes, box, op)


def planes_of(relaxation: Relaxation) -> Planes | None:
    """A relaxation as planes, lines over a last axis of length one; ``None`` when it is neither."""
    if isinstance(relaxation, Planes):
        return relaxation
    if not isinstance(relaxation, Lines):
        return None
    lines = relaxation
    lower_offset = torch.zeros_like(lines.upper_offset) if lines.lower_offset is None else lines.lower_offset
    lower_slope, upper_slope, size = (t.unsqueeze(-1) for t in (lines.lower_slope, lines.upper_slope, lines.size))
    return Planes(lower_slope, lower_offset, upper_slope, lines.upper_offset, size)


def _around(planes: Planes, box: Box, op: Operator) -> Band:
    """The narrower of the bands that have the slope of one of the planes, and contain both over the operator's box."""
    lower, upper = (side.reshape(planes.size.shape) for side in (box.lower, box.upper))
    magnitude = 2 * ((planes.lower_slope.abs() + planes.upper_slope.abs()) * planes.size).sum(-1)
    magnitude = magnitude + planes.lower_offset.abs() + planes.upper_offset.abs()

    def along(slope: Tensor) -> tuple[Tensor, Tensor]:
        below, above = planes.lower_slope - slope, planes.upper_slope - slope
        low = planes.lower_offset + torch.minimum(below * lower, below * upper).sum(-1)
        return low, planes.upper_offset + torch.maximum(above * lower, above * upper).sum(-1)

    low, high = along(planes.upper_slope)
    other_low, other_high = along(planes.lower_slope)
    other = other_high - other_low < _CLEARLY * (high - low)
    band = Band(
        torch.where(other.unsqueeze(-1), planes.lower_slope, planes.upper_slope),
        torch.where(other, other_low, low),
        torch.where(other, other_high, high),
        magnitude,
    )
    return band.or_interval(op, box)
