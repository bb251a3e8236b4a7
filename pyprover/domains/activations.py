"""Lines around functions of one variable: ReLU, and the functions shaped like an S."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.base import FUNCTION_ULPS, Box, unit
from pyprover.domains.relaxation import Lines
from pyprover.ops import Relu, Sigmoid, Tanh

_BISECTIONS = 40
_NARROW = 1e-9

_MOST_OFFSET = 1.5
"""No tangent of ``sigmoid`` or ``tanh`` crosses the axis farther from 0: ``|f(d)| + |d| f'(d) < 1.5``."""


@dataclass(frozen=True, eq=False)
class BoxedLines(Lines):
    """Lines that know the box of the operator's input, ``lower`` and ``upper`` (batch, *shape).

    Others around the same function may take their place: their slopes are at most 1, their offsets ``offsets`` or
    those of these lines. The magnitude covers them all.
    """

    lower: Tensor
    upper: Tensor
    offsets: float

    @property
    def box(self) -> Box:
        """The box of the operator's input."""
        return Box(self.lower, self.upper)

    @property
    @override
    def magnitude(self) -> Tensor:
        return torch.maximum(super().magnitude, self.size.flatten(1).amax(1) + self.offsets)


def relu_lines(op: Relu, box: Box) -> BoxedLines:
    """Triangle of ``max(x, a x)``: the chord above; below, the slope 1 or a, whichever cuts the smaller area.

    Zhang et al., *Efficient neural network robustness certification*, arXiv 1811.00866 (CROWN, adaptive slopes);
    Singh et al., *An abstract domain for certifying neural networks*, POPL 2019 (DeepPoly).
    """
    lower, upper = box.lower, box.upper
    one, slope = torch.ones_like(lower), torch.full_like(lower, op.slope)
    unstable = ~((lower >= 0) | (upper <= 0))
    chord = (upper - slope * lower) / (upper - lower)
    fixed = torch.where(lower >= 0, one, slope)
    upper_slope = torch.where(unstable, chord, fixed)
    lower_slope = torch.where(unstable, torch.where(upper > -lower, one, slope), fixed)
    upper_offset = torch.where(unstable, lower * (slope - chord), 0.0)
    return BoxedLines(lower_slope, None, upper_slope, upper_offset, box.size, lower, upper, 0.0)


def relu_unstable(_op: Relu, box: Box) -> Tensor:
    """Where a tighter box can change the lines: mask (batch, *shape)."""
    return (box.lower < 0) & (box.upper > 0)


@dataclass(frozen=True, eq=False)
class Tangents:
    """The lines above an S-shaped function over a box that no other line above it beats everywhere.

    They touch at a point between ``first`` and ``last``; where ``fixed``, the one with ``slope`` and ``offset`` is the
    best at every point. Each is (batch, *shape). ``function`` and ``derivative`` are those of the operator.
    """

    function: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    first: Tensor
    last: Tensor
    fixed: Tensor
    slope: Tensor
    offset: Tensor
    size: Tensor

    def line(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes and offsets (rows, *shape) of the lines that touch as near to the points as they may."""
        points = torch.minimum(torch.maximum(points, self.first), self.last)
        slope = torch.where(self.fixed, self.slope, self.derivative(points))
        offset = torch.where(self.fixed, self.offset, self.function(points) - slope * points)
        # two values of the function, and a slope that is off by some 20 units over twice the size
        return slope, offset + 8 * FUNCTION_ULPS * unit(offset.dtype) * (1 + slope * self.size)


def tangents_above(op: Sigmoid | Tanh, box: Box) -> Tangents:
    """The lines above the function; one that is flat where the box is hardly wider than a point.

    A tangent at d >= 0 lies above the function on the concave side, and on the convex side when it does at the box's
    lower end; it does there for every d beyond a point that bisection approaches from the safe side. When not even
    the tangent at the upper end does, or when the box is on the convex side, the chord is the least line above.
    """
    function, derivative = op.forward, _DERIVATIVES[type(op)]
    lower, upper = box.lower, box.upper
    at_lower, at_upper = function(lower), function(upper)

    def covers(d: Tensor) -> Tensor:
        return function(d) + derivative(d) * (lower - d) >= at_lower

    flat = ~(upper - lower > _NARROW * (1 + box.size))
    chord = (at_upper - at_lower) / (upper - lower)
    low, high = lower.clamp(min=0), upper.clamp(min=0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        safe = covers(middle)
        low, high = torch.where(safe, low, middle), torch.where(safe, middle, high)
    return Tangents(
        function,
        derivative,
        high,
        upper.clamp(min=0),
        flat | (upper <= 0) | ~covers(upper),
        chord.masked_fill(flat, 0.0),
        torch.where(flat, at_upper, at_lower - chord * lower),
        box.size,
    )


def tangents_below(op: Sigmoid | Tanh, box: Box) -> Tangents:
    """The lines above the reflected function ``x -> 2 f(0) - f(-x)``, which is f itself, over the reflected box.

    ``s x + t`` lies above f over [-u, -l] where ``s x + 2 f(0) - t`` lies below it over [l, u]: see `reflected`.
    """
    return tangents_above(op, Box(-box.upper, -box.lower))


def reflected(op: Sigmoid | Tanh, offset: Tensor) -> Tensor:
    """The offset of a line below the function, from that of the line above over the reflected box."""
    return 2 * op.forward(torch.zeros((), dtype=offset.dtype)) - offset


def s_shaped_lines(op: Sigmoid | Tanh, box: Box) -> BoxedLines:
    """Chords and tangents of a function that is convex below 0 and concave above, and symmetric around (0, f(0)).

    Tangents touch at the middle of the box, or as near to it as they may.
    """
    upper_slope, upper_offset = tangents_above(op, box).line(box.centre)
    lower_slope, offset = tangents_below(op, box).line(-box.centre)
    lower_offset = reflected(op, offset)
    return BoxedLines(
        lower_slope, lower_offset, upper_slope, upper_offset, box.size, box.lower, box.upper, _MOST_OFFSET
    )


def s_shaped_unstable(_op: Sigmoid | Tanh, box: Box) -> Tensor:
    """Everywhere but where the box is a point."""
    return box.lower < box.upper


def slope_range(op: Sigmoid | Tanh, box: Box) -> tuple[Tensor, Tensor]:
    """The least and the greatest slope between two points of the box, up to rounding: greatest next to 0."""
    derivative, slack = _DERIVATIVES[type(op)], 1 + 4 * FUNCTION_ULPS * unit(box.lower.dtype)
    least = torch.minimum(derivative(box.lower), derivative(box.upper)) / slack
    return least, derivative(torch.zeros_like(box.lower).clamp(box.lower, box.upper)) * slack


def _sigmoid_derivative(x: Tensor) -> Tensor:
    y = torch.sigmoid(x)
    return y * torch.sigmoid(-x)


def _tanh_derivative(x: Tensor) -> Tensor:
    y = torch.exp(-2 * x.abs())  # 1 - tanh(x)^2 would cancel where it is small
    return 4 * y / (1 + y).square()


_DERIVATIVES: dict[type[Sigmoid] | type[Tanh], Callable[[Tensor], Tensor]] = {
    Sigmoid: _sigmoid_derivative,
    Tanh: _tanh_derivative,
}
