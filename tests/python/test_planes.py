"""Functions of the values along the last axis: ranges and planes hold in boxes of every size."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pyprover.domains.base import Box, gamma
from pyprover.domains.interval import TRANSFORMERS
from pyprover.domains.linear import RELAXATIONS, UNSTABLE
from pyprover.domains.planes import Planes
from pyprover.graph import Operator
from pyprover.ops import LogSumExp, Product

FUNCTIONS: tuple[tuple[Operator, int], ...] = ((Product(), 2), (LogSumExp(), 1), (LogSumExp(), 4))
each_function = pytest.mark.parametrize(("op", "count"), FUNCTIONS, ids=str)
magnitudes = st.sampled_from([0.0, 1e-200, 1e-9, 1.0, 30.0, 1e4, 1e12, 1e150])
widths = st.sampled_from([0.0, 1e-300, 1e-17, 1e-10, 1e-4, 0.1, 1.0, 7.0, 300.0, 1e6])


def some_box(count: int, seed: int, magnitude: float, width: float) -> Box:
    """Boxes (1, 5, count); some intervals are points."""
    generator = torch.Generator().manual_seed(seed)
    shape = (1, 5, count)
    low = magnitude * torch.randn(shape, generator=generator, dtype=torch.float64)
    extent = width * torch.rand(shape, generator=generator, dtype=torch.float64)
    return Box(low, low + extent * (torch.rand(shape, generator=generator) > 0.2))


def points_in(box: Box, seed: int) -> Tensor:
    """Points (200, 5, count): corners, and inside."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(200, *box.lower.shape[1:], generator=generator, dtype=torch.float64)
    share[:100] = share[:100].round()
    x = box.lower + (box.upper - box.lower) * share
    return torch.minimum(torch.maximum(x, box.lower), box.upper)


def planes_of(op: Operator, box: Box) -> Planes:
    planes = RELAXATIONS[type(op)](op, box)
    assert isinstance(planes, Planes)
    return planes


@each_function
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**31), magnitude=magnitudes, width=widths)
def test_ranges_and_planes_hold_in_the_box(op: Operator, count: int, seed: int, magnitude: float, width: float) -> None:
    box = some_box(count, seed, magnitude, width)
    x = points_in(box, seed)
    y = op.forward(x)
    image, planes = TRANSFORMERS[type(op)](op, (box,)), planes_of(op, box)
    assert bool(((image.lower <= y) & (y <= image.upper)).all())
    # the rounding of a plane itself is covered by the slack of the step
    slack = gamma(8 * count + 16, torch.float64) * planes.magnitude
    assert bool(((planes.lower_slope * x).sum(-1) + planes.lower_offset <= y + slack).all())
    assert bool((y <= (planes.upper_slope * x).sum(-1) + planes.upper_offset + slack).all())


@each_function
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_planes_of_a_point_are_its_value(op: Operator, count: int, seed: int) -> None:
    box = some_box(count, seed, 2.0, 0.0)
    y, planes = op.forward(box.lower), planes_of(op, box)
    for slope, offset in ((planes.lower_slope, planes.lower_offset), (planes.upper_slope, planes.upper_offset)):
        torch.testing.assert_close((slope * box.lower).sum(-1) + offset, y, rtol=1e-10, atol=1e-10)


@each_function
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_gap_shrinks_with_the_square_of_the_width(op: Operator, count: int, seed: int) -> None:
    for width in (0.1, 0.01):
        box = some_box(count, seed, 2.0, width)
        planes = planes_of(op, box)
        gap = ((planes.upper_slope - planes.lower_slope) * box.centre).sum(-1)
        gap = gap + planes.upper_offset - planes.lower_offset
        assert float(gap.max()) <= 2 * count * width**2


@each_function
@pytest.mark.parametrize("bounds", [(-math.inf, 1.0), (1.0, math.inf), (-math.inf, math.inf), (math.nan, 1.0)])
def test_infinite_boxes_prove_nothing_wrong(op: Operator, count: int, bounds: tuple[float, float]) -> None:
    low, high = (torch.full((1, 1, count), bound, dtype=torch.float64) for bound in bounds)
    image, planes = TRANSFORMERS[type(op)](op, (Box(low, high),)), planes_of(op, Box(low, high))
    for value in (-1e6, 1.0, 1e6):
        if not (value < bounds[0] or value > bounds[1]):
            y = op.forward(torch.full((1, 1, count), value, dtype=torch.float64))
            assert bool((image.lower <= y).all() & (y <= image.upper).all())
    for slope, offset in ((planes.lower_slope, planes.lower_offset), (planes.upper_slope, planes.upper_offset)):
        assert not bool(slope.any()) or bool(offset.isfinite().all())


def test_a_factor_that_is_a_point_needs_no_tighter_box() -> None:
    low = torch.tensor([[[1.0, 2.0], [0.0, 2.0]]], dtype=torch.float64)
    high = torch.tensor([[[1.0, 5.0], [1.0, 5.0]]], dtype=torch.float64)
    assert UNSTABLE[Product](Product(), Box(low, high)).tolist() == [[[False, False], [True, True]]]
