"""Maxima over windows bounded by their members."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from pyprover.domains.base import TINY, Box, unit
from pyprover.domains.relaxation import Members
from pyprover.ops import MaxPool


def max_pool_members(op: MaxPool, box: Box) -> Members:
    """Below, the member with the best lower bound; above, the same when it always wins, else the best upper bound."""
    best, floor, rivals = _contest(op, box)
    decided = floor >= rivals
    ceiling = torch.where(decided, 0.0, torch.maximum(_at(box.upper, best), rivals))
    height, width = box.lower.shape[2:]
    return Members(best, decided, ceiling, (height, width), box.size)


def max_pool_unstable(op: MaxPool, box: Box) -> Tensor:
    """Members of undecided windows: mask (batch, channels, height, width)."""
    _, floor, rivals = _contest(op, box)
    members = window_members(op, box)
    open_windows = (floor < rivals).unsqueeze(-1).expand(*floor.shape, members.shape[-1])
    plane = torch.zeros(*box.lower.shape[:2], box.lower.shape[2] * box.lower.shape[3] + 1, dtype=torch.float64)
    places = members.reshape(-1).expand(*floor.shape[:2], -1)
    plane.scatter_add_(2, places, open_windows.flatten(2).to(torch.float64))
    return (plane[..., :-1] > 0).reshape(box.lower.shape) & (box.lower < box.upper)


def contested(op: MaxPool, box: Box) -> Tensor:
    """Windows in which no member is known to win by more than rounding: (batch, channels, height, width).

    Among others not those whose members are all 0 but for rounding, as many are after a ReLU.
    """
    _, floor, rivals = _contest(op, box)
    negligible = 64 * unit(floor.dtype) * (floor.abs() + rivals.abs()) + 64 * TINY
    return (rivals - floor > negligible).reshape(-1, *op.shape(tuple(box.lower.shape[1:])))


def window_members(op: MaxPool, box: Box) -> Tensor:
    """Places of each window's members, (windows, kernel cells); a cell of padding has the place one past the plane."""
    height, width = box.lower.shape[2:]
    places = torch.arange(height * width, dtype=torch.float64).reshape(1, 1, height, width)
    pad_y, pad_x = op.padding
    padded = functional.pad(places, (pad_x, pad_x, pad_y, pad_y), value=height * width)
    return functional.unfold(padded, op.kernel, op.dilation, 0, op.stride)[0].T.to(torch.int64)


def _at(values: Tensor, places: Tensor) -> Tensor:
    return values.flatten(2).gather(2, places)


def _contest(op: MaxPool, box: Box) -> tuple[Tensor, Tensor, Tensor]:
    """Of each window: the member with the best lower bound, that bound, the best upper bound of the others."""
    best = op.winners(box.lower).flatten(2)
    members = window_members(op, box)
    upper = functional.pad(box.upper.flatten(2), (0, 1), value=-torch.inf)[..., members]
    others = upper.masked_fill(members == best.unsqueeze(-1), -torch.inf).amax(-1)
    return best, _at(box.lower, best), others
