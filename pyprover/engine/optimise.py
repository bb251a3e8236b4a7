"""Optimised bounds on open cases: the lines around the operators and the weights of the margins ascend together.

First with the boxes of the analysis, which costs little; then with boxes that were tightened in the same way; then with
boxes that hold only where the case does, again and again: each round starts from what the one before found. Where all
that is not linear are ReLUs, a search on these does better than the last.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf, isfinite

import torch
from torch import Tensor

from pyprover.domains.analysis import PartBounds, RegionBounds
from pyprover.domains.conditional import Condition, tighten_where
from pyprover.domains.optimised import Adam, Spare, Tunable, one_region, tighten
from pyprover.engine.branch import Site
from pyprover.engine.case import Case, Forms
from pyprover.engine.ledger import Cover
from pyprover.engine.problem import Deadline, Progress
from pyprover.engine.weights import project, rounding_error

_STEPS = 20
_TARGET = 0.05
_AT_ONCE = 64

_MOST_ROUNDS = 12
_LEAST_GAIN = 0.03
"""A round that gains less of what is missing is the last one. Early rounds may gain little, and later ones much."""

_SHALLOW = 1e-9
"""A margin that can fall no farther below 0 says nothing of the scale of multipliers."""


def optimise(site: Site, until: Deadline) -> Site:
    """Try to prove what is open; the site with the best boxes found, which hold in the whole region."""

    def left() -> float:
        return until.moment - time.monotonic()

    def spare() -> bool:
        return left() > 0

    progress = site.progress
    bounds = RegionBounds(one_region(site.bounds.linearised, site.place))
    _raise_margins(progress, bounds, _open_cases(progress), spare)
    if not any(_goals(progress)):
        return site
    bounds = tighten(bounds, 0, left)
    _raise_margins(progress, bounds, _open_cases(progress), spare)
    return Site(progress, bounds, 0)


def suppose(site: Site, until: Deadline) -> None:
    """Suppose the open cases of each property one by one, the worst first, until one is not contradicted."""
    progress = site.progress
    bounds = RegionBounds(one_region(site.bounds.linearised, site.place))
    for goal in _goals(progress):
        cases = sorted(goal, key=lambda case: progress.ledger.margin(case) or 0.0)
        for place, case in enumerate(cases):
            if not progress.ledger.excludes(case):
                _suppose(progress, bounds, case, until.share(len(cases) - place))
            if not progress.ledger.excludes(case):
                break


def _goals(progress: Progress) -> list[list[Case]]:
    """Open cases of each open property; nothing helps where a tie was seen, or a case cannot be combined."""
    goals = [progress.cases[k] for k in progress.open if progress.notes[k] is None]
    usable = [goal for goal in goals if all(0 < len(case.margins) <= progress.classes for case in goal)]
    return [[case for case in goal if not progress.ledger.excludes(case)] for goal in usable]


def _open_cases(progress: Progress) -> list[Case]:
    return list(dict.fromkeys(case for goal in _goals(progress) for case in goal))


def _raise_margins(progress: Progress, bounds: RegionBounds, cases: Sequence[Case], spare: Spare) -> None:
    """Record the best bounds found on some cases."""
    tunable = Tunable.of(bounds.linearised)
    for first in range(0, len(cases), _AT_ONCE):
        some = cases[first : first + _AT_ONCE]
        ascent = _Ascent(tunable, some, [progress.ledger.best_margin(case) for case in some])
        for case, (weights, bound) in zip(some, ascent.run(spare), strict=True):
            progress.ledger.record(bounds, [(dict(zip(case.margins, weights, strict=False)), bound)])


def _suppose(progress: Progress, bounds: RegionBounds, case: Case, until: Deadline) -> None:
    """Tighten with the case itself until that contradicts it, or hardly gains."""

    def spare() -> bool:
        return time.monotonic() < until.moment

    margin = progress.ledger.margin(case)
    if margin is None or not isfinite(margin):
        return
    known: RegionBounds | PartBounds = bounds
    for _ in range(_MOST_ROUNDS):
        if not spare():
            break
        before = margin
        part = tighten_where(known, _condition(case, progress.classes, margin), spare)
        margin = inf if part is None else max(margin, _margin_where(part, progress, case, spare))
        if part is None or margin > 0:
            progress.ledger.record_cover(Cover.by_contradiction(case))
            break
        known = part
        if margin - before < -_LEAST_GAIN * before:
            break


def _condition(case: Case, classes: int, margin: float) -> Condition:
    """That the case holds; ``margin``: the best bound known."""
    forms = Forms.of([case], classes)
    return Condition(forms.weights[0], forms.constants[0], max(-margin, _SHALLOW))


def _margin_where(part: PartBounds, progress: Progress, case: Case, spare: Spare) -> float:
    """A lower bound on a case over a part of the region."""
    ((_, bound),) = _Ascent(Tunable.of(part.linearised), [case], [progress.ledger.best_margin(case)]).run(spare)
    return bound


class _Ascent:
    """Some cases over one region or a part of it, a row each; ``starts``: the margin of each that has all weight."""

    def __init__(self, tunable: Tunable, cases: Sequence[Case], starts: Sequence[int]) -> None:
        self.exact, self.rough = tunable, tunable.rough()
        self.output = tunable.network.graph.output
        self.forms = Forms.of(cases, tunable.network.graph.outputs)
        self.starts = torch.tensor(starts)

    def run(self, spare: Spare) -> list[tuple[list[float], float]]:
        """Ascend in float32 from single margins; the weights of each case, and what float64 makes of its bound."""
        weights = torch.zeros(self.forms.valid.shape)
        weights[torch.arange(len(weights)), self.starts] = 1
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
        return self._concluded(best[1].double(), best[2].double())

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

    def _concluded(self, weights: Tensor, parameters: Tensor) -> list[tuple[list[float], float]]:
        with torch.no_grad():
            bound = self._bound(self.exact, weights, parameters)
            bound = bound - rounding_error(self.exact.network.output_slack, self.forms, weights)
        return list(zip(weights.tolist(), bound.tolist(), strict=True))
