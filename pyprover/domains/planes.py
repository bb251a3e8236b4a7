"""Functions of the values along the last axis, bounded by planes: products."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.base import TINY, Box, unit
from pyprover.domains.relaxation import Relaxation, Rows
from pyprover.graph import Operator
from pyprover.ops import Product


@dataclass(frozen=True, eq=False)
class Planes(Relaxation):
    """``lower_slope . x + lower_offset <= f(x) <= upper_slope . x + upper_offset`` along the last axis of x.

    Slopes and ``size``, which is max |x|, are (batch, *shape, n), offsets (batch, *shape).
    """

    lower_slope: Tensor
    lower_offset: Tensor
    upper_slope: Tensor
    upper_offset: Tensor
    size: Tensor

    @property
    @override
    def magnitude(self) -> Tensor:
        upper = (self.upper_slope.abs() * self.size).sum(-1) + self.upper_offset.abs()
        lower = (self.lower_slope.abs() * self.size).sum(-1) + self.lower_offset.abs()
        return torch.maximum(lower, upper).flatten(1).amax(1)

    @override
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        places, positive = rows.places, rows.coef.clamp(min=0)
        negative = rows.coef - positive
        form = negative.unsqueeze(-1) * places.of(self.upper_slope) + positive.unsqueeze(-1) * places.of(
            self.lower_slope
        )
        return form, places.dot(negative, self.upper_offset) + places.dot(positive, self.lower_offset)


def or_range(planes: Planes, image: Box) -> Planes:
    """The planes, or the range of the function where they are not finite."""
    lower, upper = (
        slope.isfinite().all(-1) & offset.isfinite()
        for slope, offset in ((planes.lower_slope, planes.lower_offset), (planes.upper_slope, planes.upper_offset))
    )
    return Planes(
        torch.where(lower.unsqueeze(-1), planes.lower_slope, 0.0),
        torch.where(lower, planes.lower_offset, image.lower),
        torch.where(upper.unsqueeze(-1), planes.upper_slope, 0.0),
        torch.where(upper, planes.upper_offset, image.upper),
        planes.size,
    )


def product_range(_op: Operator, boxes: tuple[Box, ...]) -> Box:
    """The products at the four corners, widened by their rounding."""
    (x_low, y_low), (x_high, y_high) = boxes[0].lower.unbind(-1), boxes[0].upper.unbind(-1)
    corners = torch.stack([x_low * y_low, x_low * y_high, x_high * y_low, x_high * y_high])
    # NaN is infinity times 0, and stays NaN in a minimum: widening turns it into all numbers
    box = Box(corners.amin(0), corners.amax(0)).overflowing()
    return box.widen(2 * unit(box.lower.dtype) * box.finite_size)


def product_planes(op: Product, box: Box) -> Planes:
    """``x y = c_y x + c_x y - c_x c_y + (x - c_x)(y - c_y)``, and the last product is at most ``r_x r_y``.

    With c and r the centres and radii: the mean of each pair of planes of McCormick, *Computability of global solutions
    to factorable nonconvex programs*, Mathematical Programming 10, 1976.
    """
    centre, radius = box.centre, box.radius
    slope = centre.flip(-1)
    base, spread = -centre.prod(-1), radius.prod(-1)
    # the centre is off by a roundoff of the size, and so is the radius; two products and two sums
    slack = 16 * unit(centre.dtype) * box.size.prod(-1) + TINY
    planes = Planes(slope, base - spread - slack, slope, base + spread + slack, box.size)
    return or_range(planes, product_range(op, (box,)))


def product_unstable(_op: Product, box: Box) -> Tensor:
    """Both factors, where neither is a point."""
    return (box.lower < box.upper).all(-1, keepdim=True).expand(box.lower.shape)
