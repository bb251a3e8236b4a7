"""Functions of the values along the last axis, bounded by planes: products, logarithms of sums."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.base import FUNCTION_ULPS, TINY, Box, unit
from pyprover.domains.relaxation import Relaxation, Rows
from pyprover.graph import Operator
from pyprover.ops import LogSumExp, Product


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


def log_sum_exp_range(op: Operator, boxes: tuple[Box, ...]) -> Box:
    """The function at both ends, for it is monotone; widened by the error of its evaluation."""
    (box,) = boxes
    image = Box(op.forward(box.lower), op.forward(box.upper)).overflowing()
    return image.widen(_log_sum_exp_error(box) * (1 + image.finite_size))


def log_sum_exp_planes(op: LogSumExp, box: Box) -> Planes:
    """Below, the tangent at the centre c, for the function is convex. Above, the tangent of the logarithm of chords.

    With M the largest upper bound and ``v_j + k_j (x_j - c_j)`` the chord above ``exp(x_j - M)``, the function is at
    most ``M + log(S + sum_j k_j (x_j - c_j))``, S = sum_j v_j, thus at most ``M + log S + sum_j k_j (x_j - c_j) / S``.
    Compare Wei et al., *Convex bounds on the softmax function*, arXiv 2303.01713.
    """
    centre, width = box.centre, box.upper - box.lower
    lower_slope = torch.softmax(centre, -1)
    lower_offset = op.forward(centre) - (lower_slope * centre).sum(-1)
    most = box.upper.amax(-1, keepdim=True)
    ends = (box.lower - most).exp(), (box.upper - most).exp()
    chord = torch.where(width > 0, (ends[1] - ends[0]) / width, 0.0)
    total = (ends[0] / 2 + ends[1] / 2).sum(-1, keepdim=True)
    upper_slope = chord / total
    upper_offset = (most + total.log()).squeeze(-1) - (upper_slope * centre).sum(-1)
    slack = _log_sum_exp_error(box) * (1 + (1 + upper_slope.sum(-1)) * box.size.amax(-1))
    planes = Planes(lower_slope, lower_offset - slack, upper_slope, upper_offset + slack, box.size)
    return or_range(planes, log_sum_exp_range(op, (box,)))


def _log_sum_exp_error(box: Box) -> float:
    """The relative error of a sum of exponentials, with some room."""
    return 4 * (FUNCTION_ULPS + box.lower.shape[-1]) * unit(box.lower.dtype)


def log_sum_exp_unstable(_op: LogSumExp, box: Box) -> Tensor:
    """Everywhere but where the box is a point."""
    return box.lower < box.upper
