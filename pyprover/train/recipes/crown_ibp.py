"""Training on linear bounds of the loss itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.train import shi
from pyprover.train.bounds import label_differences
from pyprover.train.layers import last_layer
from pyprover.train.linear import lower_bounds
from pyprover.train.options import option
from pyprover.train.recipes.base import Aim, Recipe, RecipeOptions, Step
from pyprover.train.recipes.ibp import REGULARISER, interval_loss, warm_up_term


def fused_loss(step: Step) -> Tensor:
    """Bound the cross-entropy over the region from above, a sample, (B,), by one backward pass: loss fusion.

    The cross-entropy is the logarithm of sum_j exp(d_j), d_j = f_j - f_y. Intervals give l_j <= d_j <= u_j; there the
    chord bounds exp from above, so that the sum is at most a linear function of the d_j, which backward bounds take as
    a single row. All exponentials are taken relative to exp(max u): none overflows.
    Source: Xu et al. 2020 (arXiv 2002.12920).
    """
    network, enclosure = step.network, step.enclosure
    rows, offsets = label_differences(last_layer(network), step.labels)
    centre = torch.einsum("bjh,bh->bj", rows, enclosure.features.centre) + offsets
    spread = torch.einsum("bjh,bh->bj", rows.abs(), enclosure.features.radius)
    lower, upper = -centre - spread, spread - centre
    top = upper.amax(1, keepdim=True)
    at_lower, at_upper = (lower - top).exp(), (upper - top).exp()
    width = upper - lower
    narrow = width < 1e-4
    slope = torch.where(narrow, at_upper, (at_upper - at_lower) / width.clamp(min=1e-4))
    height = at_upper - slope * upper
    # sum_j (slope_j d_j + height_j) with d_j = -(rows_j . features + offsets_j); `lower_bounds` bounds its negation.
    row = torch.einsum("bj,bjh->bh", slope, rows).unsqueeze(1)
    constant = ((slope * offsets).sum(1) - height.sum(1)).unsqueeze(1)
    total = -lower_bounds(network, enclosure, row, constant)
    # d_y = 0, so the sum is at least exp(-top): rounding must not bring it lower.
    return torch.maximum(total, (-top).exp()).clamp(min=1e-30).log().squeeze(1) + top.squeeze(1)


@dataclass(frozen=True)
class CrownIbp(RecipeOptions):
    """Linear bounds of the loss (CROWN-IBP with loss fusion), giving way to intervals as the radius grows.

    Sources: Zhang et al. 2020 (arXiv 1906.06316); Xu et al. 2020 (arXiv 2002.12920).
    """

    crown: float = option(0.0, "share of the linear bounds at the full radius (beta; it falls from 1)", least=0, most=1)
    regularise: float = option(0.5, REGULARISER, least=0)

    @override
    def build(self) -> Recipe:
        return Recipe(self.loss, Aim.CERTIFIED, prepare=shi.initialise)

    def loss(self, step: Step) -> Tensor:
        """Mix the two bounds of the loss; a share that is 0 is not computed."""
        beta = 1 - step.growth * (1 - self.crown)
        loss = interval_loss(step) if beta < 1 else step.images.new_zeros(())
        loss = (1 - beta) * loss
        if beta > 0:
            loss = loss + beta * fused_loss(step).mean()
        return loss + warm_up_term(step, self.regularise)
