"""Functions of one variable that are convex, concave or straight piece by piece: their ranges, and lines around them.

For *any* slope s, ``f(x) <= s x + max_x (f(x) - s x)``, and the maximum splits over the pieces. On a convex or a
straight piece it is at one of the ends. On a concave piece the tangent at any point p lies above f, so that the
tangent's own value at one of the ends bounds it: tightly when f'(p) = s. Neither s nor p needs to be exact for the line
to be sound. The slope taken is the one whose line is lowest in the middle of the box (the least area, as in Zhang et
al., arXiv 1811.00866): that of the edge, above the middle, of the upper hull of some samples. Lower lines are the
upper lines of -f.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pyprover.domains.base import FUNCTION_ULPS, Box, unit
from pyprover.domains.relaxation import Lines
from pyprover.graph import Operator
from pyprover.ops import (
    Clip,
    Elu,
    Erf,
    Exp,
    Gelu,
    HardSwish,
    Log,
    Power,
    PRelu,
    Reciprocal,
    Sign,
    Softplus,
    Sqrt,
)
from pyprover.ops.functions import normal_distribution

Function = Callable[[Tensor], Tensor]

_SAMPLES = 10
"""Samples of a concave piece: an even number, so that none is the middle, and the edge there is nearly a tangent."""
_BISECTIONS = 30
_NARROW = 1e-9

_GELU_BEND = math.sqrt(2)
_GELU_LEAST = -0.7517915246935645
_GELU_FAR = 40.0
_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


@dataclass(frozen=True, eq=False)
class Piece:
    """A function on [start, end], monotone there.

    ``value`` extends continuously to both ends, whatever the function does beside them. ``slope`` is its derivative,
    ``None`` for a straight piece. ``convex`` tells the bend of the others.
    """

    start: float
    end: float
    value: Function
    slope: Function | None = None
    convex: bool = True
    floor: float = 0.0
    """Absolute error of the value beside its relative one, both in ``FUNCTION_ULPS`` units of roundoff."""

    def touches(self, box: Box) -> Tensor:
        """Where the box and the piece meet."""
        return (box.upper >= self.start) & (box.lower <= self.end)

    def part(self, box: Box) -> Box:
        """The part of the box inside the piece; a point where they do not meet."""
        return Box(box.lower.clamp(self.start, self.end), box.upper.clamp(self.start, self.end))

    def negated(self) -> Piece:
        """The opposite function."""
        value, slope = self.value, self.slope
        return replace(
            self,
            value=lambda x: -value(x),
            slope=None if slope is None else lambda x: -slope(x),
            convex=not self.convex,
        )


Curve = tuple[Piece, ...]
"""Pieces from left to right; where there is none the function is not defined."""


def curve_range(op: Operator, boxes: tuple[Box, ...]) -> Box:
    """The values at the ends of the pieces, widened by the error of their evaluation; all numbers where undefined."""
    (box,) = boxes
    curve = CURVES[type(op)](op)
    lower, upper = torch.full_like(box.lower, torch.inf), torch.full_like(box.lower, -torch.inf)
    for piece in curve:
        part, met = piece.part(box), piece.touches(box)
        ends = piece.value(part.lower), piece.value(part.upper)
        lower = torch.where(met, torch.minimum(lower, torch.minimum(*ends)), lower)
        upper = torch.where(met, torch.maximum(upper, torch.maximum(*ends)), upper)
    defined = (box.lower >= curve[0].start) & (box.upper <= curve[-1].end)
    image = Box(torch.where(defined, lower, -torch.inf), torch.where(defined, upper, torch.inf)).overflowing()
    error = 2 * FUNCTION_ULPS * unit(lower.dtype)
    return image.widen(error * (image.finite_size + max(piece.floor for piece in curve)))


def curve_lines(op: Operator, box: Box) -> Lines:
    """Upper and lower lines; the range itself where a line is not finite, or the box hardly wider than a point."""
    curve = CURVES[type(op)](op)
    image = curve_range(op, (box,))
    slope, offset = _upper_line(curve, box)
    low_slope, low_offset = (-x for x in _upper_line(tuple(piece.negated() for piece in curve), box))
    wide = box.upper - box.lower > _NARROW * (1 + box.size)
    wide = wide & image.lower.isfinite() & image.upper.isfinite()
    over, under = (wide & a.isfinite() & b.isfinite() for a, b in ((slope, offset), (low_slope, low_offset)))
    return Lines(
        torch.where(under, low_slope, 0.0),
        torch.where(under, low_offset, image.lower),
        torch.where(over, slope, 0.0),
        torch.where(over, offset, image.upper),
        box.size,
    )


def curve_unstable(op: Operator, box: Box) -> Tensor:
    """Everywhere but where the box is a point or within a straight piece."""
    settled = box.lower == box.upper
    for piece in CURVES[type(op)](op):
        if piece.slope is None:
            settled = settled | ((box.lower >= piece.start) & (box.upper <= piece.end))
    return ~settled


def _upper_line(curve: Curve, box: Box) -> tuple[Tensor, Tensor]:
    """Slope and offset of a line above the function over the box, rounding included."""
    slope = _hull_slope(curve, box)
    offset, size = torch.full_like(slope, -torch.inf), torch.zeros_like(slope)
    for piece in curve:
        part, met = piece.part(box), piece.touches(box)
        peak, scale = _peak(piece, part, slope)
        offset = torch.where(met, torch.maximum(offset, peak), offset)
        size = torch.where(met, torch.maximum(size, scale), size)
    slack = 4 * FUNCTION_ULPS * unit(slope.dtype)
    return slope, offset + slack * (size + slope.abs() * box.size)


def _peak(piece: Piece, part: Box, slope: Tensor) -> tuple[Tensor, Tensor]:
    """At least the maximum of ``f(x) - slope x`` over a part of a piece, and the size of what was added up."""
    if piece.slope is None or piece.convex:
        ends = piece.value(part.lower), piece.value(part.upper)
        peak = torch.maximum(ends[0] - slope * part.lower, ends[1] - slope * part.upper)
        return peak, torch.maximum(ends[0].abs(), ends[1].abs()) + piece.floor
    low, high = part.lower, part.upper
    for _ in range(_BISECTIONS):
        middle = low / 2 + high / 2
        rising = piece.slope(middle) > slope
        low, high = torch.where(rising, middle, low), torch.where(rising, high, middle)
    point = low / 2 + high / 2
    value, tangent = piece.value(point), piece.slope(point)
    ends = tangent * (part.lower - point), tangent * (part.upper - point)
    peak = value + torch.maximum(ends[0] - slope * part.lower, ends[1] - slope * part.upper)
    return peak, value.abs() + (1 + tangent.abs()) * (part.upper - part.lower) + piece.floor


def _hull_slope(curve: Curve, box: Box) -> Tensor:
    """The slope, above the middle of the box, of the upper hull of samples of the function."""
    x, y = _samples(curve, box)
    middle = box.centre
    before = x <= middle
    left = torch.where(before, y, -torch.inf).argmax(0, keepdim=True)
    right = torch.where(before, -torch.inf, y).argmax(0, keepdim=True)
    slope = torch.zeros_like(middle)
    for _ in range(len(x)):
        x_left, y_left, x_right, y_right = (v.gather(0, i)[0] for i in (left, right) for v in (x, y))
        slope = (y_right - y_left) / (x_right - x_left)
        height = y - slope * x
        best = height.argmax(0, keepdim=True)
        higher = height.gather(0, best)[0] > torch.maximum(y_left - slope * x_left, y_right - slope * x_right)
        if not bool(higher.any()):
            break
        on_left = before.gather(0, best)
        left = torch.where(higher & on_left, best, left)
        right = torch.where(higher & ~on_left, best, right)
    return slope


def _samples(curve: Curve, box: Box) -> tuple[Tensor, Tensor]:
    """Points of the box and values there, (samples, batch, *shape): the ends of pieces, and more where one is concave.

    A point that is not on its piece has the value -inf.
    """
    xs, ys = [], []
    width = box.upper - box.lower
    for piece in curve:
        part, met = piece.part(box), piece.touches(box)
        points = [part.lower, part.upper]
        if piece.slope is not None and not piece.convex:
            shares = (k / (_SAMPLES - 1) for k in range(1, _SAMPLES - 1))
            points += [(box.lower + share * width).clamp(piece.start, piece.end) for share in shares]
        xs += points
        ys += [torch.where(met, piece.value(x), -torch.inf) for x in points]
    return torch.stack(xs), torch.stack(ys)


def _prelu(op: PRelu) -> Curve:
    return (Piece(-math.inf, 0.0, lambda x: x * op.slope), Piece(0.0, math.inf, lambda x: x))


def _clip(op: Clip) -> Curve:
    below = Piece(-math.inf, op.low, partial(torch.full_like, fill_value=op.low))
    above = Piece(op.high, math.inf, partial(torch.full_like, fill_value=op.high))
    outer = [below] if op.low > -math.inf else [], [above] if op.high < math.inf else []
    return (*outer[0], Piece(op.low, op.high, lambda x: x), *outer[1])


def _elu(op: Elu) -> Curve:
    below = Piece(-math.inf, 0.0, lambda x: op.alpha * torch.expm1(x), lambda x: op.alpha * torch.exp(x))
    return (below, Piece(0.0, math.inf, lambda x: x))


def _hard_swish(_op: HardSwish) -> Curve:
    def value(x: Tensor) -> Tensor:
        return x * (x + 3) / 6

    def slope(x: Tensor) -> Tensor:
        return (2 * x + 3) / 6

    bends = (Piece(-3.0, -1.5, value, slope, floor=1.0), Piece(-1.5, 3.0, value, slope, floor=1.0))
    return (Piece(-math.inf, -3.0, torch.zeros_like), *bends, Piece(3.0, math.inf, lambda x: x))


def _gelu(op: Gelu) -> Curve:
    """``x Phi(x)``: its second derivative is ``(2 - x^2) phi(x)``; it falls up to -0.7517915246935645, then rises."""

    def slope(x: Tensor) -> Tensor:
        near = x.clamp(-_GELU_FAR, _GELU_FAR)
        return normal_distribution(x) + near * torch.exp(-near * near / 2) / math.sqrt(2 * math.pi)

    return tuple(
        Piece(start, end, op.forward, slope, convex, floor=1.0)
        for start, end, convex in (
            (-math.inf, -_GELU_BEND, False),
            (-_GELU_BEND, _GELU_LEAST, True),
            (_GELU_LEAST, _GELU_BEND, True),
            (_GELU_BEND, math.inf, False),
        )
    )


def _erf(op: Erf) -> Curve:
    def slope(x: Tensor) -> Tensor:
        return torch.exp(-x * x) * _TWO_OVER_ROOT_PI

    return (Piece(-math.inf, 0.0, op.forward, slope), Piece(0.0, math.inf, op.forward, slope, convex=False))


def _softplus(op: Softplus) -> Curve:
    return (Piece(-math.inf, math.inf, op.forward, torch.sigmoid),)


def _exp(op: Exp) -> Curve:
    return (Piece(-math.inf, math.inf, op.forward, op.forward),)


def _log(op: Log) -> Curve:
    return (Piece(0.0, math.inf, op.forward, torch.reciprocal, convex=False),)


def _sqrt(op: Sqrt) -> Curve:
    return (Piece(0.0, math.inf, op.forward, lambda x: 0.5 / x.sqrt(), convex=False),)


def _reciprocal(_op: Reciprocal) -> Curve:
    """At 0 each side has its own infinity, whatever the sign of that zero."""
    below = Piece(-math.inf, 0.0, lambda x: -x.abs().reciprocal(), lambda x: -(x * x).reciprocal(), convex=False)
    return (below, Piece(0.0, math.inf, lambda x: x.abs().reciprocal(), lambda x: -(x * x).reciprocal()))


def _power(op: Power) -> Curve:
    def slope(x: Tensor) -> Tensor:
        return op.exponent * x ** (op.exponent - 1)

    below = Piece(-math.inf, 0.0, op.forward, slope, convex=op.exponent % 2 == 0)
    return (below, Piece(0.0, math.inf, op.forward, slope))


def _sign(_op: Sign) -> Curve:
    return (Piece(-math.inf, 0.0, lambda x: -torch.ones_like(x)), Piece(0.0, math.inf, torch.ones_like))


CURVES: Mapping[type[Operator], Callable[[Any], Curve]] = {
    Clip: _clip,
    Elu: _elu,
    Erf: _erf,
    Exp: _exp,
    Gelu: _gelu,
    HardSwish: _hard_swish,
    Log: _log,
    PRelu: _prelu,
    Power: _power,
    Reciprocal: _reciprocal,
    Sign: _sign,
    Softplus: _softplus,
    Sqrt: _sqrt,
}
"""The operators whose bounds this file gives."""
