"""Functions of one variable: ranges and lines hold along intervals of every size, at kinks, and are tight."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from pyprover.domains.base import Box, gamma
from pyprover.domains.curves import CURVES
from pyprover.domains.interval import step
from pyprover.domains.linear import RELAXATIONS, UNSTABLE
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
    Round,
    Sign,
    Softplus,
    Sqrt,
)

POSITIVE = (Log, Sqrt)
FUNCTIONS: tuple[Operator, ...] = (
    Clip(-1.0, 2.0),
    Clip(0.0, 6.0),
    Clip(0.5, 0.5),
    Clip(-math.inf, 3.0),
    Clip(0.0, math.inf),
    Elu(1.0),
    Elu(0.2),
    Elu(3.0),
    Elu(0.0),
    Erf(),
    Exp(),
    Gelu(),
    HardSwish(),
    Log(),
    *(PRelu(torch.tensor(slope, dtype=torch.float64)) for slope in (-1.0, -0.3, 0.0, 0.25, 1.0, 4.0)),
    *(Power(exponent) for exponent in (2, 3, 4, 7)),
    Reciprocal(),
    Round(),
    Sign(),
    Softplus(),
    Sqrt(),
)
widths = st.sampled_from([0.0, 1e-300, 1e-17, 1e-10, 1e-8, 1e-4, 0.1, 1.0, 3.0, 7.0, 100.0, 1e6])
lows = st.one_of(st.floats(-60, 60), st.sampled_from([-3.0, -1.5, -1.0, -0.0, 0.0, 1e-300, 2.0, 1e12, -1e12, 1e200]))


def interval(low: float, high: float) -> Box:
    return Box(*(torch.tensor([[x]], dtype=torch.float64) for x in (low, high)))


def along(low: float, high: float) -> Tensor:
    """Points of an interval: its ends, evenly spread ones, and where the functions bend."""
    bends = torch.tensor([-3.0, -1.5, -1.0, -0.7517915246935645, 0.0, 0.5, 1e-9, -1e-9, 2.0, 3.0, 6.0, math.sqrt(2)])
    spread = low + (high - low) * torch.linspace(0, 1, 400, dtype=torch.float64)
    return torch.cat([spread.clamp(low, high), bends.to(torch.float64).clamp(low, high)])[None]


def lines_of(op: Operator, box: Box) -> Lines:
    lines = RELAXATIONS[type(op)](op, box)
    assert isinstance(lines, Lines)
    return lines


def unstable(op: Operator, box: Box) -> Tensor:
    return UNSTABLE[type(op)](op, box)


def assert_lines_hold(lines: Lines, x: Tensor, y: Tensor) -> None:
    """The rounding of a line itself is covered by the slack of the step."""
    slack = gamma(16, torch.float64) * lines.magnitude
    assert lines.lower_offset is not None
    for slope, offset, sign in (
        (lines.lower_slope, lines.lower_offset, -1),
        (lines.upper_slope, lines.upper_offset, 1),
    ):
        if bool(offset.isfinite()):
            assert bool((sign * y <= sign * (slope * x + offset) + slack).all()), (slope, offset)
        else:
            assert float(offset) == sign * math.inf


def test_every_curve_is_tested() -> None:
    assert {type(op) for op in FUNCTIONS} == {*CURVES, Round}


@pytest.mark.parametrize("op", FUNCTIONS, ids=str)
@settings(max_examples=60, deadline=None)
@given(low=lows, width=widths)
def test_ranges_and_lines_hold_along_the_interval(op: Operator, low: float, width: float) -> None:
    low = abs(low) if isinstance(op, POSITIVE) else low
    box = interval(low, low + width)
    x = along(low, low + width)
    y = op.forward(x)
    found = step(op, (box,))
    assert bool(((found.lower <= y) & (y <= found.upper)).all())
    assert_lines_hold(lines_of(op, box), x, y)


@pytest.mark.parametrize("op", FUNCTIONS, ids=str)
def test_a_range_is_no_wider_than_needed(op: Operator) -> None:
    for low, high in ((0.3, 1.1), (1.0, 2.4), (3.6, 9.0), (-2.0, -1.0), (-4.0, -2.9), (-0.9, 0.7)):
        if low < 0 and isinstance(op, (*POSITIVE, Reciprocal)):
            continue
        y = op.forward(along(low, high))
        found = step(op, (interval(low, high),))
        torch.testing.assert_close(found.lower[0, 0], y.min(), rtol=1e-9, atol=1e-5)
        torch.testing.assert_close(found.upper[0, 0], y.max(), rtol=1e-9, atol=1e-5)


@pytest.mark.parametrize("op", [op for op in FUNCTIONS if not isinstance(op, Round)], ids=str)
@settings(max_examples=20, deadline=None)
@given(low=st.floats(-8, 8), width=st.floats(0.01, 8))
def test_lines_are_nearly_the_best(op: Operator, low: float, width: float) -> None:
    """In the middle of the interval, the upper line is hardly above the upper hull of many points of the graph."""
    low = abs(low) + 0.1 if isinstance(op, (*POSITIVE, Reciprocal)) else low
    assume(not (isinstance(op, Sign) and 0.0 in (low, low + width)))  # taken for both sides of the jump
    box, x = interval(low, low + width), along(low, low + width)
    y, middle = op.forward(x)[0], float(box.centre)
    lines = lines_of(op, box)
    assert lines.lower_offset is not None
    for slope, offset, sign in (
        (lines.upper_slope, lines.upper_offset, 1),
        (lines.lower_slope, lines.lower_offset, -1),
    ):
        hull = hull_at(x[0], sign * y, middle)
        gap = sign * float(slope * middle + offset) - hull
        spread = float(y.max() - y.min())
        assert gap <= 0.03 * spread + 1e-7, (gap, spread)


def hull_at(x: Tensor, y: Tensor, middle: float) -> float:
    """The upper hull of points at a place: the highest chord over it."""
    before, after = x <= middle, x > middle
    x_left, y_left = x[before][:, None], y[before][:, None]
    x_right, y_right = x[after][None], y[after][None]
    return float((y_left + (y_right - y_left) * (middle - x_left) / (x_right - x_left)).max())


@pytest.mark.parametrize("op", [Log(), Sqrt(), Reciprocal()], ids=str)
def test_where_a_function_is_not_defined_nothing_is_bounded(op: Operator) -> None:
    box = interval(-1.0, 1.0)
    found, lines = step(op, (box,)), lines_of(op, box)
    assert (float(found.lower), float(found.upper)) == (-math.inf, math.inf)
    assert (float(lines.lower_offset), float(lines.upper_offset)) == (-math.inf, math.inf)  # type: ignore[arg-type]


@pytest.mark.parametrize("op", FUNCTIONS, ids=str)
@pytest.mark.parametrize("bounds", [(-math.inf, 1.0), (1.0, math.inf), (-math.inf, math.inf), (math.nan, 1.0)])
def test_infinite_boxes_prove_nothing_wrong(op: Operator, bounds: tuple[float, float]) -> None:
    box = interval(*bounds)
    found, lines = step(op, (box,)), lines_of(op, box)
    x = along(*(min(max(b, -1e6), 1e6) if b == b else 0.5 for b in bounds))
    y = op.forward(x)
    y = y[~y.isnan()]
    assert not bool(found.lower.isnan() | found.upper.isnan())
    assert bool(((found.lower <= y) & (y <= found.upper)).all())
    if not isinstance(op, Round):
        assert float(lines.lower_slope) == float(lines.upper_slope) == 0.0


@settings(max_examples=200, deadline=None)
@given(x=st.one_of(st.floats(-1e17, 1e17), st.integers(-50, 50).map(lambda n: n / 2), st.floats(-1, 1)))
def test_rounding_is_exact_and_passes_the_gradient(x: float) -> None:
    for dtype in (torch.float64, torch.float32):
        point = torch.tensor([x], dtype=dtype, requires_grad=True)
        y = Round().forward(point)
        assert torch.equal(y.detach(), point.detach().round())
        (gradient,) = torch.autograd.grad(y.sum(), point)
        assert float(gradient) == 1.0


def test_an_overflow_is_beyond_the_largest_number_only() -> None:
    found = step(Exp(), (interval(800.0, 900.0),))
    assert 1e308 < float(found.lower) < math.inf == float(found.upper)


def test_straight_pieces_need_no_tighter_box() -> None:
    box = Box(*(torch.tensor([x], dtype=torch.float64) for x in ([-3.0, -0.5, 1.0, 1.0], [-2.0, 0.5, 2.0, 1.0])))
    assert unstable(Clip(-1.0, 1.0), box).tolist() == [[False, False, False, False]]
    assert unstable(Clip(0.0, 1.5), box).tolist() == [[False, True, True, False]]
    assert unstable(Exp(), box).tolist() == [[True, True, True, False]]
    assert unstable(Round(), Box(box.lower / 10, box.upper / 10)).tolist() == [[False, False, False, False]]
