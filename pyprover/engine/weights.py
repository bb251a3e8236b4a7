"""Weights on the members of a group: convex combinations of margins that bound better than any single one.

For a fixed relaxation the bound ``g(w)`` of the combination with weights w is the least of linear functions of w (one
a vertex of the relaxation), so it is concave, and the vector of margins at the minimising vertex is a supergradient.
Ascent starts at the best single margin and steps towards a target just above zero (Polyak's rule), projected onto the
simplex.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pyprover.domains.base import unit
from pyprover.domains.linear import Linearised, lower_bounds
from pyprover.domains.relaxation import Places, Rows
from pyprover.engine.case import Case, Forms, Margin

ASCENT_STEPS = 12
_TARGET = 0.05


@dataclass(frozen=True, eq=False)
class Combination:
    """Weights of margins, and the lower bound of their combination."""

    weights: dict[Margin, float]
    bound: float


def rounding_error(slack: Tensor, forms: Forms, weights: Tensor) -> Tensor:
    """By how much rounding moves margins combined with weights (rows, margins) at most: (rows,).

    ``slack`` (rows,) is the network's ``output_slack``: it pays for weights of the outputs that are rounded and added
    up, as many as there are outputs, in proportion to their sizes before any cancels another.
    """
    _, margins, outputs = forms.weights.shape
    sizes = (weights * forms.weights.abs().sum(2)).sum(1)
    constants = (weights * forms.constants.abs()).sum(1)
    share = max(1.0, (margins + 2) / (outputs + 8))
    return share * slack * sizes + 2 * (margins + 2) * unit(weights.dtype) * constants


def evaluate(network: Linearised, forms: Forms, places: Places, simplex: Tensor) -> tuple[Tensor, Tensor]:
    """Bounds (cases,) of the combinations with weights (cases, margins), and a supergradient (cases, margins).

    Rounding included.
    """
    with torch.enable_grad():
        coef = torch.einsum("km,kmo->ko", simplex, forms.weights).requires_grad_()
        rows = Rows(places, coef)
        form_bounds = lower_bounds(network, network.graph.output, rows)
        (vertex,) = torch.autograd.grad(form_bounds.sum(), coef)
    constant = (simplex * forms.constants).sum(1)
    error = rounding_error(places.of(network.output_slack), forms, simplex)
    slopes = torch.einsum("kmo,ko->km", forms.weights, vertex) + forms.constants
    return form_bounds.detach() + constant - error, slopes


def project(point: Tensor, valid: Tensor) -> Tensor:
    """The nearest points of the simplex over the valid entries (Held, Wolfe and Crowder 1974)."""
    masked = point.masked_fill(~valid, -torch.inf)
    ordered = masked.sort(dim=1, descending=True).values
    rank = torch.arange(1, point.shape[1] + 1, dtype=point.dtype)
    threshold = (ordered.cumsum(1) - 1) / rank
    active = (ordered > threshold).sum(1, keepdim=True).clamp(min=1)  # none where a number is not finite
    return (masked - threshold.gather(1, active - 1)).clamp(min=0)


@dataclass(frozen=True)
class Ask:
    """A case to bound, in which region of the batch, starting with which of its margins."""

    case: Case
    sample: int
    start: int


def combine(network: Linearised, asked: Sequence[Ask], steps: int = ASCENT_STEPS) -> list[Combination]:
    """For each case the best combination of margins found."""
    dtype = network.input.lower.dtype
    forms = Forms.of([ask.case for ask in asked], network.graph.outputs)
    places = Places(torch.tensor([ask.sample for ask in asked]))
    simplex = torch.zeros(len(asked), forms.valid.shape[1], dtype=dtype)
    simplex[torch.arange(len(asked)), torch.tensor([ask.start for ask in asked])] = 1
    best, best_bound = simplex, torch.full((len(asked),), -torch.inf, dtype=dtype)
    target: Tensor | None = None
    for _ in range(steps):
        value, slopes = evaluate(network, forms, places, simplex)
        better = value > best_bound
        best, best_bound = torch.where(better[:, None], simplex, best), torch.where(better, value, best_bound)
        target = _TARGET * value.abs() if target is None else target
        hopeless = slopes.masked_fill(~forms.valid, -torch.inf).amax(1) <= 0
        if bool(((best_bound > 0) | hopeless).all()):
            break
        centred = (slopes - slopes.sum(1, keepdim=True) / forms.valid.sum(1, keepdim=True)) * forms.valid
        length = (target - value).clamp(min=0) / centred.square().sum(1).clamp(min=1e-30)
        simplex = project(simplex + length[:, None] * centred, forms.valid)
    return [
        Combination(dict(zip(ask.case.margins, best[k].tolist(), strict=False)), float(best_bound[k]))
        for k, ask in enumerate(asked)
    ]
