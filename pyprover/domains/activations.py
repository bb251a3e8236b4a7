"""Lines around functions of one variable."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pyprover.domains.base import FUNCTION_ULPS, Box, unit
from pyprover.domains.relaxation import Lines
from pyprover.ops import Relu, Sigmoid, Tanh

_BISECTIONS = 40
_NARROW = 1e-9


def relu_lines(op: Relu, box: Box) -> Lines:
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
    return Lines(lower_slope, None, upper_slope, upper_offset, box.size)


def relu_unstable(_op: Relu, box: Box) -> Tensor:
    """Where a tighter box can change the lines: mask (batch, *shape)."""
    return (box.lower < 0) & (box.upper > 0)


def s_shaped_lines(op: Sigmoid | Tanh, box: Box) -> Lines:
    """Chords and tangents of a function that is convex below 0 and concave above, and symmetric around (0, f(0))."""
    derivative = _DERIVATIVES[type(op)]

    def function(x: Tensor) -> Tensor:
        return op.forward(x)

    upper_slope, upper_offset = _upper_line(function, derivative, box)
    # f(x) = 2 f(0) - f(-x): a line above f over [-u, -l], reflected, lies below f over [l, u]
    lower_slope, reflected = _upper_line(function, derivative, Box(-box.upper, -box.lower))
    twice = 2 * function(torch.zeros((), dtype=box.lower.dtype))
    lower_offset = twice - reflected
    lower_at, upper_at = function(box.lower), function(box.upper)
    slack = 4 * FUNCTION_ULPS * unit(box.lower.dtype)
    flat = ~(box.upper - box.lower > _NARROW * (1 + box.size))
    lower_slope, upper_slope = lower_slope.masked_fill(flat, 0.0), upper_slope.masked_fill(flat, 0.0)
    lower_offset, upper_offset = torch.where(flat, lower_at, lower_offset), torch.where(flat, upper_at, upper_offset)
    return Lines(
        lower_slope,
        lower_offset - slack * (1 + lower_slope * box.size),
        upper_slope,
        upper_offset + slack * (1 + upper_slope * box.size),
        box.size,
    )


def s_shaped_unstable(_op: Sigmoid | Tanh, box: Box) -> Tensor:
    """Everywhere but where the box is a point."""
    return box.lower < box.upper


def _sigmoid_derivative(x: Tensor) -> Tensor:
    y = torch.sigmoid(x)
    return y * torch.sigmoid(-x)


def _tanh_derivative(x: Tensor) -> Tensor:
    y = torch.tanh(x)
    return (1 - y) * (1 + y)


_DERIVATIVES: dict[type[Sigmoid] | type[Tanh], Callable[[Tensor], Tensor]] = {
    Sigmoid: _sigmoid_derivative,
    Tanh: _tanh_derivative,
}


def _upper_line(
    function: Callable[[Tensor], Tensor], derivative: Callable[[Tensor], Tensor], box: Box
) -> tuple[Tensor, Tensor]:
    """Slope and offset of a line above the function over the box.

    A tangent at d >= 0 lies above the function on the concave side, and on the convex side when it does at the box's
    lower end; it does there for every d beyond a point that bisection approaches from the safe side. When not even
    the tangent at the upper end does, or when the box is on the convex side, the chord lies above.
    """
    lower, upper = box.lower, box.upper
    at_lower, at_upper = function(lower), function(upper)

    def covers(d: Tensor) -> Tensor:
        return function(d) + derivative(d) * (lower - d) >= at_lower

    chord = (at_upper - at_lower) / (upper - lower)
    use_chord = (upper <= 0) | ~covers(upper)
    low, high = lower.clamp(min=0), upper.clamp(min=0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        safe = covers(middle)
        low, high = torch.where(safe, low, middle), torch.where(safe, middle, high)
    point = torch.maximum(high, (lower + upper) / 2)
    slope = torch.where(use_chord, chord, derivative(point))
    offset = torch.where(use_chord, at_lower - chord * lower, function(point) - slope * point)
    return slope, offset
