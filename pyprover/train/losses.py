"""Objectives of certified training, on lower bounds of pairwise margins.

Sources: SABR, small boxes inside the region around an adversarial point, Mueller et al. 2023 (arXiv 2210.04871);
SABR whose boxes fill the region (`ratio = 1`) is IBP, Gowal et al. 2019. The group term is this project's.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pyprover.train.bounds import Box


def class_loss(margins: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of worst-case logits; `margins` (B, C, C) bound f_i - f_j from below, `labels` (B,)."""
    of_label = margins[torch.arange(len(labels)), labels]
    return functional.cross_entropy(-of_label, labels)


def group_loss(margins: Tensor, labels: Tensor, level: Tensor) -> Tensor:
    """Return the mean of log(1 + sum over outsiders j of exp(-max over members i of margin(i, j))).

    Small when every class outside the label's group is beaten by some class inside it; `level` (C,): the group of each
    class.
    """
    member = level == level[labels].unsqueeze(1)
    beaten_by = margins.masked_fill(~member.unsqueeze(2), -torch.inf).amax(1)
    outsiders = (-beaten_by).masked_fill(member, -torch.inf)
    return functional.softplus(outsiders.logsumexp(1)).mean()


def small_box(network: nn.Module, labels: Tensor, region: Box, ratio: float) -> Box:
    """Pick a box of `ratio` times the region's radius inside the region, where the cross-entropy is high.

    Its centre comes from one signed gradient step, from a random start, long enough to cross the region.
    """
    if ratio >= 1.0:
        return region
    reach = region.radius * (1 - ratio)
    low, high = region.centre - reach, region.centre + reach
    start = (low + (high - low) * torch.rand_like(low)).requires_grad_()
    (slope,) = torch.autograd.grad(functional.cross_entropy(network(start), labels), start)
    point = (start.detach() + 2 * reach * slope.sign()).clamp(low, high)
    return Box(point - region.radius * ratio, point + region.radius * ratio)
