"""Rounding to integers: its range, and lines around it."""

from __future__ import annotations

import torch
from torch import Tensor

from pyprover.domains.base import Box, unit
from pyprover.domains.relaxation import Lines
from pyprover.graph import Operator
from pyprover.ops import Round


def round_range(_op: Operator, boxes: tuple[Box, ...]) -> Box:
    """Both ends rounded, after a move outward by what a division by a scale may have been off: integers, exactly."""
    (box,) = boxes
    error = 4 * unit(box.lower.dtype) * box.finite_size
    lower, upper = (box.lower - error).round(), (box.upper + error).round()
    return Box(lower.nan_to_num(-torch.inf, torch.inf, -torch.inf), upper.nan_to_num(torch.inf, torch.inf, -torch.inf))


def round_lines(op: Round, box: Box) -> Lines:
    """``x - 1/2 <= round(x) <= x + 1/2``, or the range, whichever is closer in the middle of the box."""
    image = round_range(op, (box,))
    over, under = box.centre + 0.5 < image.upper, box.centre - 0.5 > image.lower
    one = torch.ones_like(box.lower)
    return Lines(
        torch.where(under, one, 0.0),
        torch.where(under, -0.5 * one, image.lower),
        torch.where(over, one, 0.0),
        torch.where(over, 0.5 * one, image.upper),
        box.size,
    )


def round_unstable(op: Round, box: Box) -> Tensor:
    """Where the box does not round to one integer."""
    image = round_range(op, (box,))
    return image.lower < image.upper
