"""Branching on ReLUs: a case that stays open on a region is tried with ReLUs held, active or inactive, one by one.

Each sub-problem is bounded by ascent on three things at once: the weights of the case's margins, the lower slopes of
the ReLUs, and the multipliers of the held ones. With a single margin this is beta-CROWN with intermediate bounds kept
(Wang et al., arXiv 2103.06624); with several it stays complete where no margin alone could ever be shown, at the cost
of one row whatever the size of the group. The ReLU to hold is the one whose upper line costs the bound most (Bunel et
al., *Branch and bound for piecewise linear neural network verification*, JMLR 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from math import isfinite

import numpy as np
import torch
from torch import Tensor

from pyprover.domains.analysis import Check, RegionBounds
from pyprover.domains.base import unit
from pyprover.domains.branching import Branching, Choice
from pyprover.engine.case import Case, Forms
from pyprover.engine.ledger import Cover
from pyprover.engine.problem import Progress
from pyprover.engine.refute import Refuter
from pyprover.engine.weights import project

MOST_SUB_PROBLEMS = 400
"""For one property of one region; beyond that the bounds seldom catch up, and other queries wait."""

_AT_ONCE = 32
_FIRST_STEPS = 24
_STEPS = 10
_RATE = 0.1
_TARGET = 0.05


@dataclass(frozen=True, eq=False)
class Site:
    """A region: what is known of it, its analysis, its place in the analysed batch."""

    progress: Progress
    bounds: RegionBounds
    place: int


def branch(site: Site, prop: int, refuter: Refuter, check: Check) -> None:
    """Try the open cases of a property, the worst first; the first that stays open ends it."""
    progress = site.progress
    branching = Branching(site.bounds, site.place)
    if branching.neurons == 0:
        return
    left = MOST_SUB_PROBLEMS
    cases = [case for case in progress.cases[prop] if not progress.ledger.excludes(case)]
    if not all(0 < len(case.margins) <= progress.classes for case in cases):
        return
    for case in sorted(cases, key=lambda case: progress.ledger.margin(case) or 0.0):
        tree = _Tree(branching, case, progress)
        while not tree.finished and left > 0:
            check()
            left -= tree.step(prop, refuter)
            if progress.outcomes[prop] is not None:
                return
        if not tree.closed:
            return
        progress.ledger.record_cover(Cover({case: tree.least}))


@dataclass(frozen=True, eq=False)
class _SubProblems:
    """Sub-problems with the weights of the margins (sub-problems, margins) and the bounds known (sub-problems,)."""

    weights: Tensor
    choice: Choice
    bound: Tensor

    def only(self, rows: Tensor) -> _SubProblems:
        """Some of them."""
        return _SubProblems(self.weights[rows], _map(lambda values: values[rows], self.choice), self.bound[rows])


def _map(change: Callable[..., Tensor], *choices: Choice) -> Choice:
    """A function applied to each field of some choices."""
    return Choice(*(change(*(getattr(choice, f.name) for choice in choices)) for f in fields(Choice)))


def _joined(first: _SubProblems, second: _SubProblems) -> _SubProblems:
    def cat(one: Tensor, two: Tensor) -> Tensor:
        return torch.cat([one, two])

    return _SubProblems(
        cat(first.weights, second.weights), _map(cat, first.choice, second.choice), cat(first.bound, second.bound)
    )


@dataclass(frozen=True, eq=False)
class _Ascent:
    """The end of an ascent: better sub-problems, what each ReLU's upper line costs, where each bound is least."""

    found: _SubProblems
    cost: Tensor
    corners: Tensor


class _Tree:
    """The sub-problems of one case that wait, and the least bound of those that are excluded."""

    def __init__(self, branching: Branching, case: Case, progress: Progress) -> None:
        self.branching = branching
        self.progress = progress
        self.forms = Forms.of([case], progress.classes)
        self.least = torch.inf
        self.stuck = False
        weights = torch.zeros(1, len(case.margins), dtype=torch.float64)
        weights[0, progress.ledger.best_margin(case)] = 1
        self.waiting = _SubProblems(weights, branching.root(), torch.full((1,), -torch.inf, dtype=torch.float64))
        self.steps = _FIRST_STEPS

    @property
    def finished(self) -> bool:
        """Nothing waits, or a sub-problem is open in which nothing is left to hold."""
        return self.stuck or len(self.waiting.bound) == 0

    @property
    def closed(self) -> bool:
        """Every sub-problem is excluded."""
        return not self.stuck and len(self.waiting.bound) == 0 and isfinite(self.least)

    def step(self, prop: int, refuter: Refuter) -> int:
        """Bound the worst of what waits, and split what stays open; how many were bounded."""
        order = self.waiting.bound.argsort()
        batch, self.waiting = self.waiting.only(order[:_AT_ONCE]), self.waiting.only(order[_AT_ONCE:])
        ascent = self._ascend(batch)
        self.steps = _STEPS
        excluded = ascent.found.bound > 0
        self.least = min([self.least, *ascent.found.bound[excluded].tolist()])
        if not bool(excluded.all()):
            self._refute(ascent.corners[~excluded], refuter)
            if self.progress.outcomes[prop] is None:
                self._split(ascent.found.only(~excluded), ascent.cost[~excluded])
        return len(batch.bound)

    def _ascend(self, start: _SubProblems) -> _Ascent:
        """Raise the bounds: Adam on slopes and multipliers, projected steps of Polyak's length on weights."""
        phase, offset = start.choice.phase, start.choice.offset.clone().requires_grad_()
        slope, multiplier = (
            values.clone().requires_grad_() for values in (start.choice.slope, start.choice.multiplier)
        )
        optimiser = torch.optim.Adam([slope, multiplier], lr=_RATE, maximize=True)
        weights, best = start.weights, start
        corners = torch.zeros(0)
        for _ in range(self.steps):
            weights = weights.detach().requires_grad_()
            with torch.enable_grad():
                value, corners = self._evaluate(weights, Choice(phase, slope, multiplier, offset))
                optimiser.zero_grad()
                offset.grad = None
                value.sum().backward()  # type: ignore[no-untyped-call]
            better = (value.detach() > best.bound)[:, None]
            chosen = Choice(
                phase,
                *(
                    torch.where(better, new.detach(), old)
                    for new, old in (
                        (slope, best.choice.slope),
                        (multiplier, best.choice.multiplier),
                        (offset, best.choice.offset),
                    )
                ),
            )
            bound = torch.maximum(value.detach(), best.bound)
            best = _SubProblems(torch.where(better, weights.detach(), best.weights), chosen, bound)
            if bool((best.bound > 0).all()):
                break
            optimiser.step()
            with torch.no_grad():
                slope.copy_(torch.maximum(slope, self.branching.leak).clamp(max=1.0))
                multiplier.clamp_(min=0.0)
            weights = self._towards(weights, value.detach())
        assert offset.grad is not None
        cost = -(offset.grad * offset.detach()) * (phase == 0)
        return _Ascent(best, cost, corners)

    def _towards(self, weights: Tensor, value: Tensor) -> Tensor:
        """Weights moved along their gradient by as much as a bound just above zero seems to need."""
        gradient = weights.grad
        assert gradient is not None
        centred = gradient - gradient.mean(1, keepdim=True)
        missing = _TARGET * value.abs() - value
        length = missing.clamp(min=0) / centred.square().sum(1).clamp(min=1e-30)
        return project(weights.detach() + length[:, None] * centred, torch.ones_like(weights, dtype=torch.bool))

    def _evaluate(self, weights: Tensor, choice: Choice) -> tuple[Tensor, Tensor]:
        """Bounds (sub-problems,) of the combined margin, and the corners of the region where they are reached."""
        forms, constants = self.forms.weights[0], self.forms.constants[0]
        bound, corners = self.branching.bounds(weights @ forms, choice)
        error = 2 * (len(constants) + 2) * unit(weights.dtype) * (weights @ constants.abs())
        return bound + weights @ constants - error, corners

    def _refute(self, corners: Tensor, refuter: Refuter) -> None:
        """Try the corner where the case holds most strictly."""
        inward = self.progress.inward
        if inward is None:
            return
        points = np.clip(corners.flatten(1).numpy().astype(np.float32), *inward).reshape(corners.shape)
        scores = self.forms.violations(torch.from_numpy(refuter.network.exact_outputs(points)))[:, 0]
        best = int(scores.argmax())
        if scores[best] > 0:
            refuter.try_point(self.progress, points[best], "branch")

    def _split(self, left: _SubProblems, cost: Tensor) -> None:
        """Hold the ReLU that costs most, either way; sub-problems without a free one make the tree stuck."""
        free = left.choice.phase == 0
        if not bool(free.any(1).all()):
            self.stuck = True
            return
        neuron = torch.where(free, cost, -torch.inf).argmax(1)
        row = torch.arange(len(neuron))
        for sign in (1.0, -1.0):
            phase, offset = left.choice.phase.clone(), left.choice.offset.clone()
            phase[row, neuron], offset[row, neuron] = sign, 0.0
            half = _SubProblems(left.weights, replace(left.choice, phase=phase, offset=offset), left.bound.clone())
            self.waiting = _joined(self.waiting, half)
