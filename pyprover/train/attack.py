"""Adversarial points for training: signed gradient ascent inside a box.

Source: PGD, Madry et al. 2018 (arXiv 1706.06083).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pyprover.train.bounds import Box


def ascend(
    objective: Callable[[Tensor], Tensor], box: Box, lengths: Sequence[float], generator: torch.Generator | None = None
) -> Tensor:
    """Climb from a random point of the box; returns points (B, ...) of it, without gradient.

    `objective` maps points to a tensor whose sum is to grow; `lengths` are the steps, over the box's radius.
    `generator` is for the start: torch's own random state by default.
    """
    reach = box.radius
    start = torch.rand(reach.shape, generator=generator, device="cpu" if generator else reach.device)
    point = box.lower + (box.upper - box.lower) * start.to(reach.device)
    for length in lengths:
        point = point.detach().requires_grad_()
        (slope,) = torch.autograd.grad(objective(point).sum(), point)
        point = (point.detach() + length * reach * slope.sign()).clamp(box.lower, box.upper)
    return point.detach()


def even_steps(count: int) -> tuple[float, ...]:
    """Return `count` equal steps that together go 2.5 times the radius, as Madry et al. do."""
    return (2.5 / count,) * count
