"""What keeps interval bounds useful in the first epochs: initial weights and two regularisers.

Source: Shi et al. 2021, Fast certified robust training with short warmup (arXiv 2103.17268).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from pyprover.train.bounds import Enclosure
from pyprover.train.layers import weighted

TOLERANCE = 0.5


def initialise(network: nn.Sequential) -> None:
    """Draw weights under which interval bounds neither explode nor vanish with depth."""
    for layer in weighted(network):
        nn.init.normal_(layer.weight, std=math.sqrt(2 * math.pi) / layer.weight[0].numel())
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def regulariser(enclosure: Enclosure) -> Tensor:
    """Punish bounds that widen from the input to a layer of ReLUs, and layers where active and inactive units differ.

    The mean over layers of ReLUs, with bounds of centre c and radius r, of two shortfalls s(q) = max(t - q, 0) / t with
    t = `TOLERANCE`: that of mean r_input / mean r; and, where some units are stably active and some stably inactive,
    those of smaller / larger for the sums over the two kinds of |c|, and of (c - mean c)^2.
    """
    width = enclosure.region.radius.mean()
    total = width.new_zeros(())
    for box in enclosure.activations.values():
        total = total + _shortfall(width / box.radius.mean().clamp(min=1e-12))
        centre, active, inactive = box.centre, box.lower > 0, box.upper < 0
        if bool(active.any()) and bool(inactive.any()):
            spread = (centre - centre.mean()).square()
            for values in (centre.abs(), spread):
                total = total + _shortfall(_ratio((values * active).sum(), (values * inactive).sum()))
    return total / max(len(enclosure.activations), 1)


def _ratio(one: Tensor, other: Tensor) -> Tensor:
    return torch.minimum(one, other) / torch.maximum(one, other).clamp(min=1e-12)


def _shortfall(ratio: Tensor) -> Tensor:
    return functional.relu(TOLERANCE - ratio) / TOLERANCE
