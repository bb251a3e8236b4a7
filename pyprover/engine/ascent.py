"""Ascent on sub-problems: weights of margins, lower slopes and multipliers of ReLUs, all at once.

With a single margin this is beta-CROWN with intermediate bounds kept (Wang et al., arXiv 2103.06624); with several it
stays complete where no margin alone could ever be shown, at the cost of one row whatever the size of the group. The
ascent is in float32; what it ends with is bounded once more in float64, and only that counts. How far multipliers move
at first decides how many evaluations are needed: their scale is that of the coefficients that they are added to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from pyprover.domains.base import Box
from pyprover.domains.branching import Bounded, Branching
from pyprover.engine.case import Case, Forms
from pyprover.engine.weights import project, rounding_error

_SLOPE_RATE = 0.15
_MULTIPLIER_RATE = 1.5
"""The steps of slopes, and of multipliers: these in units of the coefficient of the neuron that costs most."""

_ANY = 0.05
"""In place of that coefficient where nothing costs anything."""

_DECAY = (0.5, 0.99)
"""Of the moments of Adam: few steps are made, from where the parent's ended, so that momentum would come too late."""

_TARGET = 0.05


@dataclass(frozen=True, eq=False)
class SubProblems:
    """Sub-problems of several cases; row r is about case ``case[r]``.

    ``phase`` (rows, neurons) int8, ``value`` (rows, neurons) float32, ``lower`` and ``upper`` (rows, boxed) float32:
    see `pyprover.domains.branching`; ``weights`` (rows, margins) float32, 0 where a case has fewer margins; ``bound``
    (rows,) float32, the best known.
    """

    case: Tensor
    phase: Tensor
    value: Tensor
    lower: Tensor
    upper: Tensor
    weights: Tensor
    bound: Tensor

    @property
    def box(self) -> Box:
        """The boxes of its own."""
        return Box(self.lower, self.upper)

    def __len__(self) -> int:
        return len(self.bound)

    def only(self, rows: Tensor | slice) -> SubProblems:
        """Some of them."""
        return SubProblems(*(getattr(self, f.name)[rows] for f in fields(self)))


def joined(parts: Sequence[SubProblems]) -> SubProblems:
    """All of several."""
    return SubProblems(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(SubProblems)))


def halves(parents: SubProblems, neuron: Tensor) -> SubProblems:
    """Each sub-problem twice: first all with their neuron active, then all with it inactive."""
    row = torch.arange(len(parents))
    found = []
    for sign in (1, -1):
        phase, value = parents.phase.clone(), parents.value.clone()
        phase[row, neuron], value[row, neuron] = sign, 0.0
        found.append(replace(parents, phase=phase, value=value, bound=torch.full_like(parents.bound, -torch.inf)))
    return joined(found)


@dataclass(frozen=True, eq=False)
class Ascent:
    """Cases bounded over the sub-problems of one region."""

    branching: Branching
    forms: Forms

    @classmethod
    def of(cls, branching: Branching, cases: Sequence[Case], outputs: int) -> Ascent:
        """For some cases."""
        return cls(branching, Forms.of(cases, outputs))

    def root(self, case: int, margin: int) -> SubProblems:
        """The region itself, with all weight on one margin."""
        weights = torch.zeros(1, self.forms.valid.shape[1])
        weights[0, margin] = 1
        value, box = self.branching.slope[None], self.branching.boxes
        phase, bound = torch.zeros_like(value, dtype=torch.int8), torch.full((1,), -torch.inf)
        return SubProblems(torch.tensor([case]), phase, value, box.lower, box.upper, weights, bound)

    def conclude(self, some: SubProblems) -> Tensor:
        """Bounds (rows,) in float64, rounding included."""
        return self.concluded(some).value

    def concluded(self, some: SubProblems) -> Bounded:
        """The same, with the forms that have them."""
        forms = self.forms.of_cases(some.case)
        weights = some.weights.double()
        coef = torch.einsum("rm,rmo->ro", weights, forms.weights)
        held = self.branching.held(some.phase, torch.float64, some.box)
        found = held.bounds(coef, some.value.double())
        error = rounding_error(held.network.output_slack, forms, weights)
        return replace(found, value=found.value + (weights * forms.constants).sum(1) - error)

    def estimate(self, some: SubProblems) -> Bounded:
        """Bounds in float32, rounding apart."""
        coef, constant = self.combined(some.case, some.weights)
        bounded = self.branching.held(some.phase, torch.float32, some.box).bounds(coef, some.value)
        return replace(bounded, value=bounded.value + constant)

    def combined(self, case: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """The forms (rows, outputs) and constants (rows,) of weighted margins, float32."""
        coef = torch.einsum("rm,rmo->ro", weights, self.forms.weights[case].float())
        return coef, (weights * self.forms.constants[case].float()).sum(1)

    def climb(self, start: SubProblems, steps: int, enough: float) -> tuple[SubProblems, Bounded]:
        """Better sub-problems, and the last evaluation of each; it stops when all are above ``enough``."""
        climb = _Climb(self, start)
        for step in range(steps):
            climb.evaluate()
            if step == steps - 1 or bool((climb.best.bound > enough).all()):
                break
            climb.move(step)
        assert climb.last is not None
        return climb.best, climb.last


class _Climb:
    """The state of one ascent."""

    def __init__(self, ascent: Ascent, start: SubProblems) -> None:
        self.ascent = ascent
        self.best = start
        phase = start.phase.float()
        self.held = ascent.branching.held(phase, torch.float32, start.box)
        self.free = free = phase == 0
        self.floor = torch.where(free, ascent.branching.leak, 0.0)
        self.ceiling = torch.where(free, 1.0, torch.inf)
        self.rate = torch.zeros_like(start.value)
        self.value, self.weights = start.value, start.weights
        self.first, self.second = torch.zeros_like(self.value), torch.zeros_like(self.value)
        self.bound = start.bound
        self.last: Bounded | None = None

    def evaluate(self) -> None:
        """Bound where the ascent is, and keep what is better."""
        value = self.value = self.value.detach().requires_grad_()
        weights = self.weights = self.weights.detach().requires_grad_(self.weights.shape[1] > 1)
        with torch.enable_grad():
            coef, constant = self.ascent.combined(self.best.case, weights)
            bounded = self.held.bounds(coef, value)
            self.bound = bounded.value + constant
        bound = self.bound.detach()
        self.last = replace(bounded, value=bounded.value.detach())
        better = bound > self.best.bound
        self.best = replace(
            self.best,
            value=torch.where(better[:, None], value.detach(), self.best.value),
            weights=torch.where(better[:, None], weights.detach(), self.best.weights),
            bound=torch.where(better, bound, self.best.bound),
        )

    def move(self, step: int) -> None:
        """One step along the gradient of what was evaluated."""
        with torch.enable_grad():
            self.bound.sum().backward()  # type: ignore[no-untyped-call]
        value, weights = self.value, self.weights
        assert value.grad is not None
        if step == 0:
            self.rate = self._rates()
        self._adam(step, value.detach(), value.grad)
        if weights.grad is not None:
            self._towards(weights.detach(), weights.grad, self.bound.detach())

    def _rates(self) -> Tensor:
        """The steps of all that moves (rows, neurons), by what was evaluated first."""
        assert self.last is not None
        offset = torch.cat([lines.offset for lines in self.held.lines], 1)
        cost, most = self.last.cost.min(1, keepdim=True)
        coef = torch.where(cost < 0, -cost / offset.gather(1, most), _ANY)
        return torch.where(self.free, _SLOPE_RATE, _MULTIPLIER_RATE * coef)

    def _adam(self, step: int, value: Tensor, gradient: Tensor) -> None:
        one, two = _DECAY
        self.first.mul_(one).add_(gradient, alpha=1 - one)
        self.second.mul_(two).addcmul_(gradient, gradient, value=1 - two)
        rate = (1 - two ** (step + 1)) ** 0.5 / (1 - one ** (step + 1))
        moved = torch.addcdiv(value, self.first * self.rate, self.second.sqrt().add_(1e-8), value=rate)
        self.value = torch.clamp(moved, self.floor, self.ceiling)

    def _towards(self, weights: Tensor, gradient: Tensor, bound: Tensor) -> None:
        """Weights moved along their gradient by as much as a bound just above zero seems to need (Polyak)."""
        valid = self.ascent.forms.valid[self.best.case]
        centred = (gradient - (gradient * valid).sum(1, keepdim=True) / valid.sum(1, keepdim=True)) * valid
        missing = _TARGET * bound.abs() - bound
        length = missing.clamp(min=0) / centred.square().sum(1).clamp(min=1e-30)
        self.weights = project(weights + length[:, None] * centred, valid)
