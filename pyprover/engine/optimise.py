"""Optimised bounds on open cases: the lines around the operators and the weights of the margins ascend together.

First with the boxes of the analysis, which costs little; then with boxes that were tightened in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from pyprover.domains.analysis import RegionBounds
from pyprover.domains.optimised import Adam, Spare, Tunable, one_region, tighten
from pyprover.engine.branch import Site
from pyprover.engine.case import Case, Forms
from pyprover.engine.problem import Deadline, Progress
from pyprover.engine.weights import project, rounding_error

_STEPS = 20
_TARGET = 0.05
_AT_ONCE = 64


def optimise(site: Site, cases: Sequence[Case], until: Deadline) -> Site:
    """Try to exclude the cases; the site with the best boxes found, which hold in the whole region."""

    def spare() -> bool:
        return time.monotonic() < until.moment

    cases = [case for case in cases if 0 < len(case.margins) <= site.progress.classes]
    bounds = RegionBounds(one_region(site.bounds.linearised, site.place))
    if not cases or _exclude(site.progress, bounds, cases, spare):
        return site
    bounds = tighten(bounds, 0, spare)
    _exclude(site.progress, bounds, cases, spare)
    return Site(site.progress, bounds, 0)


def _exclude(progress: Progress, bounds: RegionBounds, cases: Sequence[Case], spare: Spare) -> bool:
    """Record the best bounds found on the cases that are open; whether none is left."""
    tunable = Tunable.of(bounds.linearised)
    left = [case for case in cases if not progress.ledger.excludes(case)]
    for first in range(0, len(left), _AT_ONCE):
        _Ascent(progress, bounds, tunable, left[first : first + _AT_ONCE]).run(spare)
    return all(progress.ledger.excludes(case) for case in cases)


class _Ascent:
    """Some cases of one region, a row each."""

    def __init__(self, progress: Progress, bounds: RegionBounds, tunable: Tunable, cases: Sequence[Case]) -> None:
        self.progress, self.bounds, self.cases = progress, bounds, cases
        self.exact, self.rough = tunable, tunable.rough()
        self.output = bounds.linearised.graph.output
        self.forms = Forms.of(cases, bounds.linearised.graph.outputs)

    def run(self, spare: Spare) -> None:
        """Ascend in float32 from the best single margins, and record what float64 makes of the end."""
        weights = torch.zeros(self.forms.valid.shape)
        best_margins = [self.progress.ledger.best_margin(case) for case in self.cases]
        weights[torch.arange(len(weights)), torch.tensor(best_margins)] = 1
        parameters = self.rough.start(self.output).repeat(len(weights), 1)
        adam = Adam(parameters, self.rough.rates(self.output))
        best = (torch.full((len(weights),), -torch.inf), weights, parameters)
        for _ in range(_STEPS):
            weights, parameters = (values.detach().requires_grad_() for values in (weights, parameters))
            with torch.enable_grad():
                bound = self._bound(self.rough, weights, parameters)
                slopes, gradient = torch.autograd.grad(bound.sum(), [weights, parameters], materialize_grads=True)
            weights, parameters, bound = weights.detach(), parameters.detach(), bound.detach()
            better = bound > best[0]
            chosen = better[:, None]
            best = (
                torch.where(better, bound, best[0]),
                torch.where(chosen, weights, best[1]),
                torch.where(chosen, parameters, best[2]),
            )
            if bool((best[0] > 0).all()) or not spare():
                break
            parameters = adam.step(parameters, gradient)
            weights = self._towards(weights, slopes, bound)
        self._record(best[1].double(), best[2].double())

    def _towards(self, weights: Tensor, slopes: Tensor, bound: Tensor) -> Tensor:
        """Weights moved along the gradient by as much as a bound just above zero seems to need (Polyak)."""
        valid = self.forms.valid
        centred = (slopes - (slopes * valid).sum(1, keepdim=True) / valid.sum(1, keepdim=True)) * valid
        missing = (_TARGET * bound.abs() - bound).clamp(min=0)
        return project(weights + (missing / centred.square().sum(1).clamp(min=1e-30))[:, None] * centred, valid)

    def _bound(self, tunable: Tunable, weights: Tensor, parameters: Tensor) -> Tensor:
        """Bounds (cases,) of the margins combined with weights (cases, margins)."""
        forms, constants = self.forms.weights.to(weights.dtype), self.forms.constants.to(weights.dtype)
        coef = torch.einsum("km,kmo->ko", weights, forms)
        return tunable.bounds(self.output, coef, parameters) + (weights * constants).sum(1)

    def _record(self, weights: Tensor, parameters: Tensor) -> None:
        with torch.no_grad():
            bound = self._bound(self.exact, weights, parameters)
            bound = bound - rounding_error(self.exact.network.output_slack, self.forms, weights)
        found = zip(self.cases, weights.tolist(), bound.tolist(), strict=True)
        self.progress.ledger.record(
            self.bounds, [(dict(zip(case.margins, row, strict=False)), value) for case, row, value in found]
        )
